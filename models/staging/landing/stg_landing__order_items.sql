-- One row per landed order line.
with source as (
    {{ released('order_items') }}
),

renamed as (
    select
        ---------- keys
        order_id,
        product_id,
        ---------- text
        category,
        extra,
        ---------- numbers
        quantity,
        unit_price,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
