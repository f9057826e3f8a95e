-- One row per landed product.
with source as (
    {{ released('products') }}
),

renamed as (
    select
        ---------- keys
        product_id,
        ---------- text
        name,
        category,
        brand,
        extra,
        ---------- numbers
        price,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
