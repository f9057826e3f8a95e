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

named as (
    select
        {%- for name in paths %}
        {{ text_named(name, 'item_texts', paths) }} as item_{{ name }},
        {%- endfor %}
        extracted.*
    from extracted
),

renamed as (
    select
        ---------- keys
        order_id,
        coalesce(item_product_id, item_sku) as product_id,
        ---------- text
        item_category as category,
        ---------- numbers
        item_number,
        try_cast(item_quantity as double) as quantity,
        try_cast(item_price as decimal(18, 4)) as unit_price,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from named
)

select * from renamed
