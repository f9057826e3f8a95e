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
        features.top_category as top_product_category,
        labelled_people.segment_lifecycle as lifecycle_stage,
        ---------- numbers
        people.identifiers_count,
        features.sessions_count,
        features.orders_count,
        features.revenue,
        features.average_order_value,
        features.engagement_score,
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
)

select * from final
