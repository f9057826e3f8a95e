-- One row per moment at which a person is looked at: what was known strictly before it.
{{ config(materialized='view') }}
{%- set member_since = 'least(
    signed_up_us, case when contact_created_us < at_us then contact_created_us end
)' %}
with accumulated as (
    select * from {{ ref('int_features__accumulated') }}
),

contact_attributes as (
    select * from {{ ref('int_features__contact_attributes') }}
),

demographics as (
    select * from {{ ref('int_features__demographics') }}
),

-- Now is the night's own moment, also for people of whom nothing changed since the last one.
timed as (
    select
        *,
        coalesce(at_us, {{ microseconds(as_of()) }}) as looked_at_us
    from accumulated
),

moments_accumulated as (
    select
        timed.* exclude (at_us, looked_at, looked_at_us, first_seen_us),
        timed.looked_at_us as at_us,
        case when timed.first_seen_us < timed.looked_at_us then timed.first_seen_us end
            as first_seen_us,
        {{ moment_of('timed.looked_at_us') }} as feature_at
    from timed
),

aged as (
    select
        moments_accumulated.*,
        demographics.age_band,
        demographics.age_band_from,
        demographics.gender,
        demographics.income_band,
        demographics.income_from,
        demographics.household_size,
        demographics.country as told_country,
        demographics.region as told_region,
        demographics.city as told_city,
        contact_attributes.created_us as contact_created_us,
        {{ local_time('moments_accumulated.feature_at') }} as local_at,
        greatest(
            moments_accumulated.last_session_us,
            moments_accumulated.last_signal_us,
            moments_accumulated.last_order_us
        ) as last_active_us,
        cast(floor((
            extract(year from moments_accumulated.feature_at) * 12
            + extract(month from moments_accumulated.feature_at)
            - demographics.birth_month
        ) / 12e0) as bigint) as age
    from moments_accumulated
    left join contact_attributes
        on moments_accumulated.user_key = contact_attributes.user_key
    left join demographics
        on
            moments_accumulated.user_key = demographics.user_key
            and moments_accumulated.at_us >= demographics.valid_from_us
            and moments_accumulated.at_us < demographics.valid_until_us
),

described as (
    select
        ---------- keys
        moment_type,
        moment_id,
        user_key,
        ---------- text
        case when country is null then told_country else nullif(country, '') end as country,
        case when country is null then told_region else nullif(region, '') end as region,
        case when country is null then told_city else nullif(city, '') end as city,
        device_type,
        coalesce(age_band, case
            when age < 18 then 'under 18'
            when age < 25 then '18-24'
            when age < 35 then '25-34'
            when age < 45 then '35-44'
            when age < 55 then '45-54'
            when age < 65 then '55-64'
            when age >= 65 then '65+'
        end) as age_band,
        gender,
        income_band,
        household_size,
        {{ leader_of('category_key') }} as top_category,
        {{ leader_of('channel_key') }} as top_channel,
        case
            when coalesce(psychographic_consent, {{ var('consent_default_unknown') == 'granted' }})
                then interest
        end as interest,
        case
            when coalesce(psychographic_consent, {{ var('consent_default_unknown') == 'granted' }})
                then value_theme
        end as value_theme,
        urbanity,
        ---------- numbers
        coalesce(age, age_band_from) as age_from,
        income_from,
        {{ whole_days('at_us', 'first_seen_us') }} as days_since_first_seen,
        {{ whole_days('at_us', 'last_order_us') }} as days_since_last_order,
        {{ whole_days('last_order_us', 'previous_order_us') }} as days_between_last_orders,
        orders_count,
        orders_count - orders_until_90 as orders_90d,
        orders_count - orders_until_365 as orders_365d,
        cast(coalesce(revenue, 0) as decimal(18, 4)) as revenue,
        cast(coalesce(revenue, 0) - coalesce(revenue_until_365, 0) as decimal(18, 4))
            as revenue_365d,
        cast(round(
            cast(coalesce(revenue, 0) as double) / nullif(orders_count, 0), 4
        ) as decimal(18, 4)) as average_order_value,
        cast(round(
            cast(coalesce(discount, 0) as double)
            / nullif(cast(coalesce(gross_revenue, 0) + coalesce(discount, 0) as double), 0),
            6
        ) as decimal(18, 6)) as discount_share,
        sessions_count,
        sessions_count - sessions_until_30 as sessions_30d,
        cast(
            (coalesce(engagement_ms, 0) - coalesce(engagement_ms_until_30, 0)) / 1000e0
            as decimal(18, 3)
        ) as engagement_seconds_30d,
        offers_redeemed_count,
        orders_with_coupon_count,
        signals_count - signals_until_7 as intent_signals_7d,
        {{ whole_minutes('at_us', 'greatest(last_session_us, last_signal_us)') }}
            as minutes_since_last_visit,
        {%- for step in ['signal', 'cart', 'checkout'] %}
        case
            when coalesce(last_{{ step }}_us > last_order_us, true)
                then {{ whole_minutes('at_us', 'last_' ~ step ~ '_us') }}
        end as minutes_since_open_{{ step }},
        {%- endfor %}
        {{ whole_days('at_us', 'last_active_us') }} as days_since_last_active,
        {{ whole_days('at_us', member_since) }} as days_since_joined,
        visits_desktop_count,
        visits_mobile_count,
        visits_tablet_count,
        visits_other_count,
        cast(extract(hour from local_at) as bigint) as local_hour,
        cast(extract(isodow from local_at) as bigint) as local_weekday,
        cast(extract(month from local_at) as bigint) as local_month,
        ---------- times
        feature_at,
        {{ moment_of('first_seen_us') }} as first_seen_at,
        {{ moment_of('last_order_us') }} as last_order_at,
        {{ moment_of('previous_order_us') }} as previous_order_at
    from aged
),

final as (
    select
        *,
        {{ engagement_score('described') }} as engagement_score
    from described
)

select * from final
