-- One row per person, as of the night.
with identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

features as (
    select * from {{ ref('int_features__now') }}
),

labelled_people as (
    select * from {{ ref('int_segments__labelled_now') }}
),

orders as (
    select * from {{ ref('int_conversions__orders') }}
    where
        not is_cancelled
        and exclusion_reason is null
),

consents as (
    select * from {{ ref('int_features__current_consents') }}
),

clv_scores as (
    select * from {{ source('ml', 'clv_scores') }}
),

people as (
    select
        user_key,
        count(*) as identifiers_count,
        max(case when identifier_type <> 'anonymous_id' then 1 else 0 end) = 1 as is_known,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from identifiers
    group by user_key
),

-- The category of the most orders; then of the most revenue; then the first in the alphabet.
ranked_categories as (
    select
        user_key,
        top_category,
        row_number() over (
            partition by user_key order by count(*) desc, sum(revenue) desc, top_category
        ) as category_rank
    from orders
    where top_category is not null
    group by user_key, top_category
),

final as (
    select
        ---------- keys
        people.user_key,
        ---------- text
        features.country,
        features.region,
        features.city,
        features.device_type,
        features.age_band,
        features.gender,
        features.income_band,
        features.household_size,
        ranked_categories.top_category as top_product_category,
        labelled_people.segment_lifecycle as lifecycle_stage,
        ---------- numbers
        people.identifiers_count,
        features.sessions_count,
        features.orders_count,
        features.revenue,
        features.average_order_value,
        {{ engagement_score('features') }} as engagement_score,
        clv_scores.predicted_clv,
        cast(null as double) as churn_probability,
        cast(null as double) as conversion_propensity,
        ---------- booleans
        people.is_known,
        consents.consent_analytics,
        consents.consent_personalization,
        consents.consent_advertising,
        consents.consent_psychographic,
        ---------- times
        people.first_seen_at,
        people.last_seen_at,
        features.last_order_at
    from people
    left join features
        on people.user_key = features.user_key
    left join labelled_people
        on people.user_key = labelled_people.moment_id
    left join consents
        on people.user_key = consents.user_key
    left join clv_scores
        on people.user_key = clv_scores.user_key
    left join ranked_categories
        on
            people.user_key = ranked_categories.user_key
            and ranked_categories.category_rank = 1
)

select * from final
