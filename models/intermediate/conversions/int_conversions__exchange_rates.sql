-- One row per currency and day, with the factor into the reporting currency.
-- A rate holds from its day until the next one, and at most 7 days on.
with landed as (
    select
        upper(trim(currency)) as currency,
        rate_date,
        rate_to_usd,
        row_number() over (
            partition by upper(trim(currency)), rate_date
            order by file_seq desc, row_number desc
        ) as age_number
    from {{ ref('stg_landing__exchange_rates') }}
),

given as (
    select
        currency,
        rate_date,
        rate_to_usd,
        lead(rate_date) over (partition by currency order by rate_date) as next_rate_date
    from landed
    where
        age_number = 1
        and currency <> 'USD'
),

held as (
    select
        currency,
        rate_date,
        rate_to_usd,
        {{ explode_range('0', 'least(coalesce(next_rate_date - rate_date - 1, 7), 7)') }}
            as days_held
    from given
),

daily as (
    select
        currency,
        rate_date + cast(days_held as integer) as rate_date,
        cast(rate_to_usd as double) as rate_to_usd
    from held
),

with_dollar as (
    select * from daily
    union all
    select distinct
        'USD' as currency,
        rate_date,
        1e0 as rate_to_usd
    from daily
),

final as (
    select
        with_dollar.currency,
        with_dollar.rate_date,
        -- Six decimals: what published daily rates have.
        cast(with_dollar.rate_to_usd / nullif(reporting.rate_to_usd, 0) as decimal(18, 6)) as factor
    from with_dollar
    inner join with_dollar as reporting
        on
            with_dollar.rate_date = reporting.rate_date
            and reporting.currency = '{{ var("reporting_currency") }}'
    where with_dollar.currency <> '{{ var("reporting_currency") }}'
)

select * from final
