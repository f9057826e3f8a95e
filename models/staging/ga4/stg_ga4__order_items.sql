-- One row per item of a landed purchase.
{%- set paths = {
    'item_id': '$.item_id', 'item_name': '$.item_name', 'category': '$.item_category',
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

renamed as (
    select
        ---------- keys
        order_id,
        coalesce(nullif({{ text_named('item_id', 'item_texts', paths) }}, '(not set)'), {{ text_named('item_name', 'item_texts', paths) }})
            as product_id,
        ---------- text
        nullif({{ text_named('category', 'item_texts', paths) }}, '(not set)') as category,
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
