-- One row per landed exchange rate.
with source as (
    {{ released('exchange_rates') }}
),

renamed as (
    select
        ---------- text
        currency,
        extra,
        ---------- numbers
        rate_to_usd,
        ---------- times
        date as rate_date,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
