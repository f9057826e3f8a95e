-- One row per landed order.
with source as (
    {{ released('orders') }}
),

renamed as (
    select
        ---------- keys
        order_id,
        user_id,
        anonymous_id,
        ---------- text
        email,
        currency,
        coupon_code,
        status,
        channel,
        extra,
        ---------- numbers
        revenue,
        discount,
        shipping,
        tax,
        cost,
        ---------- times
        ordered_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
