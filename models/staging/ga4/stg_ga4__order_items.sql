-- One row per item of a landed purchase.
{%- set paths = {
    'id': '$.item_id', 'name': '$.item_name', 'category': '$.item_category',
    'quantity': '$.quantity', 'price': '$.price',
} %}
with source as (
    {{ released('ga4') }}
    where
        landed.event_name = 'purchase'
        and {{ json_text('landed.ecommerce', "'$.transaction_id'") }} <> '(not set)'
),

items as (
    select
        _file_seq,
        _row_number,
        _loaded_at,
        {{ json_text('ecommerce', "'$.transaction_id'") }} as order_id,
        {{ explode_json('items') }}
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
        coalesce(nullif(item_id, '(not set)'), item_name) as product_id,
        ---------- text
        nullif(item_category, '(not set)') as category,
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
