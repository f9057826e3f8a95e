-- One row per product of a landed call that tells of an order.
{%- set paths = {
    'product_id': '$.product_id', 'sku': '$.sku', 'category': '$.category',
    'quantity': '$.quantity', 'price': '$.price',
} %}
with source as (
    {{ released('segment') }}
    where {{ json_text('landed.properties', "'$.order_id'") }} is not null
),

items as (
    select
        _file_seq,
        _row_number,
        _loaded_at,
        {{ json_text('properties', "'$.order_id'") }} as order_id,
        {{ explode_json(json_part('properties', "'$.products'")) }}
    from source
),

extracted as (
    select
        items.*,
        {{ json_texts('item', paths.values()) }} as item_texts
    from items
),

renamed as (
    select
        ---------- keys
        order_id,
        coalesce({{ text_named('product_id', 'item_texts', paths) }}, {{ text_named('sku', 'item_texts', paths) }}) as product_id,
        ---------- text
        {{ text_named('category', 'item_texts', paths) }} as category,
        ---------- numbers
        item_number,
        try_cast({{ text_named('quantity', 'item_texts', paths) }} as double) as quantity,
        try_cast({{ text_named('price', 'item_texts', paths) }} as decimal(18, 4)) as unit_price,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from extracted
)

select * from renamed
