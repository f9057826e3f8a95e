-- One row per order, whatever told of it: the orders data set (its last loaded state) or an event
-- that counts as an order.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    on_schema_change='fail'
) }}
with landed as (
    select
        landed.*,
        row_number()
            over (partition by order_id order by file_seq desc, row_number desc)
            as age_number
    from {{ ref('stg_landing__orders') }} as landed
),

last_states as (
    select * from landed
    where age_number = 1
),

with_people as (
    {{ identified('last_states', ['user_id', 'email', 'anonymous_id'], 'ordered_at') }}
),

-- An order that events of several types tell of is one order, of the first.
told_orders as (
    select
        *,
        row_number() over (
            partition by conversion_source_key order by converted_at, conversion_type
        ) as told_number
    from {{ ref('int_conversions__events') }}
    where is_order
),

orders as (
    select
        order_id,
        user_key,
        -- A landed order is a conversion of the type whose source is the orders.
        cast(null as varchar) as conversion_type,
        lower(trim(channel)) as channel,
        lower(trim(status)) as status,
        upper(trim(currency)) as currency,
        coupon_code,
        coalesce(revenue, 0) as source_revenue,
        coalesce(discount, 0) as source_discount,
        cost as source_cost,
        ordered_at
    from with_people
    where {{ only_affected() }}
    union all
    select
        conversion_source_key as order_id,
        user_key,
        conversion_type,
        channel,
        cast(null as varchar) as status,
        currency,
        cast(null as varchar) as coupon_code,
        coalesce(value, 0) as source_revenue,
        0 as source_discount,
        cast(null as decimal(18, 4)) as source_cost,
        converted_at as ordered_at
    from told_orders
    where
        told_number = 1
        and conversion_source_key not in (select with_people.order_id from with_people)
        and {{ only_affected() }}
),

product_categories as (
    select
        product_id,
        max_by(category, file_seq * 4294967296 + row_number) as category
    from {{ ref('stg_landing__products') }}
    group by product_id
),

items as (
    select
        order_items.order_id,
        coalesce(order_items.category, product_categories.category) as category,
        count(*) as items_count,
        sum(coalesce(order_items.quantity, 1) * coalesce(order_items.unit_price, 0)) as amount
    from {{ ref('int_conversions__order_items') }} as order_items
    left join product_categories
        on order_items.product_id = product_categories.product_id
    where order_items.order_id in (select orders.order_id from orders)
    group by order_items.order_id, coalesce(order_items.category, product_categories.category)
),

ranked_items as (
    select
        items.*,
        row_number() over (
            partition by order_id
            order by cast(amount as decimal(18, 4)) desc, category nulls last
        ) as category_number
    from items
),

items_of_order as (
    select
        order_id,
        cast(sum(items_count) as bigint) as items_count,
        max(case when category_number = 1 then category end) as top_category
    from ranked_items
    group by order_id
),

refunds as (
    select
        refund_id,
        order_id,
        upper(trim(currency)) as currency,
        amount,
        row_number()
            over (partition by refund_id order by file_seq desc, row_number desc)
            as age_number
    from {{ ref('stg_landing__refunds') }}
    where refunded_at < {{ as_of() }}
),

-- A refund counts at the rate of its order's day.
refunds_of_order as (
    select
        refunds.order_id,
        sum(
            {{ in_reporting_currency(
                'refunds.amount',
                'coalesce(refunds.currency, orders.currency)',
                'exchange_rates'
            ) }}
        ) as refunded_amount
    from refunds
    inner join orders
        on refunds.order_id = orders.order_id
    left join {{ ref('int_conversions__exchange_rates') }} as exchange_rates
        on
            coalesce(refunds.currency, orders.currency) = exchange_rates.currency
            and cast(orders.ordered_at as date) = exchange_rates.rate_date
    where refunds.age_number = 1
    group by refunds.order_id
),

valued as (
    select
        orders.*,
        {{ in_reporting_currency('orders.source_revenue', 'orders.currency', 'exchange_rates') }}
            as gross_revenue,
        {{ in_reporting_currency('orders.source_discount', 'orders.currency', 'exchange_rates') }}
            as discount,
        {{ in_reporting_currency('orders.source_cost', 'orders.currency', 'exchange_rates') }}
            as cost
    from orders
    left join {{ ref('int_conversions__exchange_rates') }} as exchange_rates
        on
            orders.currency = exchange_rates.currency
            and cast(orders.ordered_at as date) = exchange_rates.rate_date
),

final as (
    select
        ---------- keys
        valued.order_id,
        valued.user_key,
        ---------- text
        valued.conversion_type,
        valued.channel,
        valued.status,
        valued.currency,
        valued.coupon_code,
        items_of_order.top_category,
        case
            when valued.ordered_at >= {{ as_of() }} then 'not_yet'
            when valued.gross_revenue is null then 'no_exchange_rate'
        end as exclusion_reason,
        ---------- numbers
        cast(
            valued.gross_revenue - coalesce(refunds_of_order.refunded_amount, 0) as decimal(18, 4)
        ) as revenue,
        cast(valued.gross_revenue as decimal(18, 4)) as gross_revenue,
        cast(valued.discount as decimal(18, 4)) as discount,
        cast(valued.cost as decimal(18, 4)) as cost,
        cast(coalesce(refunds_of_order.refunded_amount, 0) as decimal(18, 4)) as refunded_amount,
        coalesce(items_of_order.items_count, 0) as items_count,
        ---------- booleans
        coalesce(valued.status in ('cancelled', 'canceled', 'voided'), false) as is_cancelled,
        ---------- times
        valued.ordered_at
    from valued
    left join items_of_order
        on valued.order_id = items_of_order.order_id
    left join refunds_of_order
        on valued.order_id = refunds_of_order.order_id
)

select * from final
