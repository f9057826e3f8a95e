-- One row per conversion, with its value in the reporting currency and how far back its journey
-- looks.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    on_schema_change='fail'
) }}
with definitions as (
    select * from {{ ref('conversion_definitions') }}
),

-- Cancelled orders are no conversions; a fully refunded one is, with revenue 0.
order_conversions as (
    select
        coalesce(orders.conversion_type, definitions.conversion_type) as conversion_type,
        orders.order_id as conversion_source_key,
        orders.user_key,
        orders.order_id,
        orders.revenue,
        orders.ordered_at as converted_at
    from {{ ref('int_conversions__orders') }} as orders
    left join definitions
        on definitions.source = 'orders'
    where
        not orders.is_cancelled
        and orders.exclusion_reason is null
        and {{ only_affected('orders.user_key') }}
        and coalesce(orders.conversion_type, definitions.conversion_type) is not null
),

event_conversions as (
    select
        events.conversion_type,
        events.conversion_source_key,
        events.user_key,
        cast(null as varchar) as order_id,
        {{ in_reporting_currency(
            'coalesce(events.value, 0)', 'events.currency', 'exchange_rates'
        ) }}
            as revenue,
        events.converted_at
    from {{ ref('int_conversions__events') }} as events
    left join {{ ref('int_conversions__exchange_rates') }} as exchange_rates
        on
            events.currency = exchange_rates.currency
            and cast(events.converted_at as date) = exchange_rates.rate_date
    where
        not events.is_order
        and {{ only_affected('events.user_key') }}
),

offline_landed as (
    select
        landed.*,
        row_number()
            over (partition by conversion_id order by file_seq desc, row_number desc)
            as age_number
    from {{ ref('stg_landing__offline_conversions') }} as landed
    where converted_at < {{ as_of() }}
),

offline_last as (
    select * from offline_landed
    where age_number = 1
),

offline_people as (
    {{ identified('offline_last', ['user_id', 'email', 'phone']) }}
),

offline_conversions as (
    select
        lower(trim(offline_people.conversion_type)) as conversion_type,
        'offline|' || offline_people.conversion_id as conversion_source_key,
        offline_people.user_key,
        cast(null as varchar) as order_id,
        {{ in_reporting_currency(
            'coalesce(offline_people.value, 0)',
            'upper(trim(offline_people.currency))',
            'exchange_rates'
        ) }}
            as revenue,
        offline_people.converted_at
    from offline_people
    left join {{ ref('int_conversions__exchange_rates') }} as exchange_rates
        on
            upper(trim(offline_people.currency)) = exchange_rates.currency
            and cast(offline_people.converted_at as date) = exchange_rates.rate_date
    where {{ only_affected('offline_people.user_key') }}
),

conversions as (
    select * from order_conversions
    union all
    select * from event_conversions
    union all
    select * from offline_conversions
),

keyed as (
    select
        conversions.*,
        {{ surrogate_key(['conversions.conversion_type', 'conversions.conversion_source_key']) }}
            as conversion_id,
        conversion_types.is_lead,
        conversion_types.lookback_days,
        conversion_types.journey_boundary
    from conversions
    inner join {{ ref('int_conversions__types') }} as conversion_types
        on conversions.conversion_type = conversion_types.conversion_type
    -- Without an exchange rate it has no value yet: int_conversions__without_rate keeps it.
    where conversions.revenue is not null
),

-- A conversion of nobody known has no conversion before it and is its own first.
sequenced as (
    select
        keyed.*,
        case when user_key is not null then lag(converted_at) over history end
            as previous_converted_at,
        case when user_key is not null then row_number() over history else 1 end
            as conversion_number,
        case
            when
                user_key is not null
                then sum(revenue) over (partition by user_key, conversion_type)
            else revenue
        end
            as revenue_to_date
    from keyed
    window history as (partition by user_key, conversion_type order by converted_at, conversion_id)
),

final as (
    select
        ---------- keys
        conversion_id,
        user_key,
        order_id,
        ---------- text
        conversion_type,
        journey_boundary,
        ---------- numbers
        cast(lookback_days as integer) as lookback_days,
        cast(revenue as decimal(18, 4)) as revenue,
        -- The lifetime is counted once, on the first conversion; else every order would count it
        -- again.
        cast(case when conversion_number = 1 then revenue_to_date else 0 end as decimal(18, 4))
            as lifetime_revenue,
        ---------- booleans
        conversion_number = 1 as is_first,
        is_lead,
        ---------- times
        converted_at,
        previous_converted_at
    from sequenced
)

select * from final
