-- One row per moment at which a person is looked at: what was known strictly before it.
{{ config(materialized='view') }}
with accumulated as (
    select * from {{ ref('int_features__accumulated') }}
),

contact_attributes as (
    select * from {{ ref('int_features__contact_attributes') }}
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
        contact_attributes.age_band,
        contact_attributes.age_band_from,
        contact_attributes.gender,
        contact_attributes.income_band,
        contact_attributes.income_from,
        contact_attributes.household_size,
        contact_attributes.country as contact_country,
        contact_attributes.region as contact_region,
        contact_attributes.city as contact_city,
        cast(floor((
            extract(year from moments_accumulated.feature_at) * 12
            + extract(month from moments_accumulated.feature_at)
            - contact_attributes.birth_month
        ) / 12e0) as bigint) as age
    from moments_accumulated
    left join contact_attributes
        on moments_accumulated.user_key = contact_attributes.user_key
),

final as (
    select
        ---------- keys
        moment_type,
        moment_id,
        user_key,
        ---------- text
        case when country is null then contact_country else nullif(country, '') end as country,
        case when country is null then contact_region else nullif(region, '') end as region,
        case when country is null then contact_city else nullif(city, '') end as city,
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
        ---------- times
        feature_at,
        {{ moment_of('first_seen_us') }} as first_seen_at,
        {{ moment_of('last_order_us') }} as last_order_at,
        {{ moment_of('previous_order_us') }} as previous_order_at
    from aged
)

select * from final
