-- One row per conversion that waits for the exchange rate of its day; it has no credit yet.
with orders as (
    select * from {{ ref('int_conversions__orders') }}
),

events as (
    select * from {{ ref('int_conversions__events') }}
),

offline_conversions as (
    select * from {{ ref('stg_landing__offline_conversions') }}
),

exchange_rates as (
    select * from {{ ref('int_conversions__exchange_rates') }}
),

foreign_amounts as (
    select
        'order' as source_kind,
        order_id as source_key,
        currency,
        ordered_at as converted_at
    from orders
    where exclusion_reason = 'no_exchange_rate'
    union all
    select
        'event' as source_kind,
        conversion_type || '|' || conversion_source_key as source_key,
        currency,
        converted_at
    from events
    where not is_order
    union all
    select
        'offline' as source_kind,
        conversion_id as source_key,
        upper(trim(currency)) as currency,
        converted_at
    from offline_conversions
    where converted_at < {{ as_of() }}
    group by conversion_id, upper(trim(currency)), converted_at
),

final as (
    select
        foreign_amounts.source_kind,
        foreign_amounts.source_key,
        foreign_amounts.currency,
        foreign_amounts.converted_at
    from foreign_amounts
    left join exchange_rates
        on
            foreign_amounts.currency = exchange_rates.currency
            and cast(foreign_amounts.converted_at as date) = exchange_rates.rate_date
    where
        foreign_amounts.currency <> '{{ var("reporting_currency") }}'
        and exchange_rates.currency is null
)

select * from final
