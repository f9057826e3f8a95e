-- One row per landed refund.
with source as (
    {{ released('refunds') }}
),

renamed as (
    select
        ---------- keys
        refund_id,
        order_id,
        ---------- text
        currency,
        extra,
        ---------- numbers
        amount,
        ---------- times
        refunded_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
