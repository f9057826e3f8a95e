-- One row per person, as of the night.
with identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

features as (
    select * from {{ ref('int_features__now') }}
),

demographics as (
    select * from {{ ref('int_features__demographics') }}
    where
        valid_from_us <= {{ microseconds(as_of()) }}
        and valid_until_us > {{ microseconds(as_of()) }}
),

category_affinity as (
    select * from {{ ref('int_features__category_affinity') }}
),

labelled_people as (
    select * from {{ ref('int_segments__labelled_now') }}
),

consents as (
    select * from {{ ref('int_features__current_consents') }}
),

habits as (
    select * from {{ ref('int_features__habits') }}
),

sale_opt_outs as (
    select * from {{ ref('int_features__sale_opt_outs') }}
),

clv_scores as (
    select * from {{ source('ml', 'clv_scores') }}
),

-- The last score of each model that scored the person.
scores as (
    select
        user_key,
        max_by(score, valid_from) filter (where segment_family = 'churn_risk') as churn_risk,
        max_by(score, valid_from) filter (where segment_family = 'conversion_propensity')
            as conversion_propensity
    from {{ source('ml', 'segment_scores') }}
    group by user_key
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
        demographics.age_source as age_band_source,
        demographics.gender_source,
        demographics.income_source as income_band_source,
        demographics.household_source as household_size_source,
        features.top_category as top_product_category,
        category_affinity.category_affinity,
        labelled_people.segment_lifecycle as lifecycle_stage,
        features.interest,
        features.value_theme,
        ---------- numbers
        habits.usual_hour,
        habits.usual_weekday,
        habits.average_session_seconds,
        habits.device_types_count,
        people.identifiers_count,
        features.sessions_count,
        features.orders_count,
        features.revenue,
        features.average_order_value,
        features.engagement_score,
        clv_scores.predicted_clv,
        scores.churn_risk as churn_probability,
        scores.conversion_propensity,
        ---------- booleans
        people.is_known,
        consents.consent_analytics,
        consents.consent_personalization,
        consents.consent_advertising,
        consents.consent_psychographic,
        sale_opt_outs.user_key is not null as has_opted_out_of_sale,
        ---------- times
        {{ moment_of('demographics.updated_us') }} as demographics_updated_at,
        people.first_seen_at,
        people.last_seen_at,
        features.last_order_at
    from people
    left join features
        on people.user_key = features.user_key
    left join demographics
        on people.user_key = demographics.user_key
    left join category_affinity
        on people.user_key = category_affinity.user_key
    left join labelled_people
        on people.user_key = labelled_people.moment_id
    left join habits
        on people.user_key = habits.user_key
    left join sale_opt_outs
        on people.user_key = sale_opt_outs.user_key
    left join consents
        on people.user_key = consents.user_key
    left join scores
        on people.user_key = scores.user_key
    left join clv_scores
        on people.user_key = clv_scores.user_key
)

select * from final
