-- Grain: one row per file x currency without any exchange rate.
-- Amounts in them have no value in the reporting currency.
with amounts as (
    {%- for model in [
        'int_events__landed', 'stg_landing__orders', 'stg_landing__refunds',
        'stg_landing__ad_spend', 'stg_landing__offline_conversions',
    ] %}
    select
        file_seq,
        upper(trim(currency)) as currency,
        count(*) as rows_count
    from {{ ref(model) }}
    where currency is not null
    group by file_seq, upper(trim(currency))
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

known_currencies as (
    select currency from {{ ref('int_conversions__exchange_rates') }}
    union
    select '{{ var("reporting_currency") }}' as currency
),

final as (
    select
        amounts.file_seq,
        files.dataset,
        files.path,
        amounts.currency,
        amounts.rows_count
    from amounts
    inner join {{ ref('stg_landing__files') }} as files
        on amounts.file_seq = files.file_seq
    left join known_currencies
        on amounts.currency = known_currencies.currency
    where known_currencies.currency is null
)

select * from final
