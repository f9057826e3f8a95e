-- One row per line of an order: those of the order_items data set, else of the event that tells of
-- the order.
{{ config(materialized='view') }}
with landed as (
    select
        file_seq,
        row_number,
        1 as item_number,
        order_id,
        product_id,
        category,
        quantity,
        unit_price
    from {{ ref('stg_landing__order_items') }}
),

told as (
    {{ union_all(['stg_segment__order_items', 'stg_ga4__order_items']) }}
),

-- The first event that tells of an order, whatever type it is.
telling_events as (
    select
        conversion_source_key,
        file_seq,
        row_number,
        row_number() over (
            partition by conversion_source_key order by converted_at, conversion_type
        ) as told_number
    from {{ ref('int_conversions__events') }}
    where is_order
),

final as (
    select * from landed
    union all
    select
        told.file_seq,
        told.row_number,
        told.item_number,
        told.order_id,
        told.product_id,
        told.category,
        told.quantity,
        told.unit_price
    from told
    inner join telling_events
        on
            told.file_seq = telling_events.file_seq
            and told.row_number = telling_events.row_number
            and told.order_id = telling_events.conversion_source_key
            and telling_events.told_number = 1
    where told.order_id not in (select landed.order_id from landed)
)

select * from final
