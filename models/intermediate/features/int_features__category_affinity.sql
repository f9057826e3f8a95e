-- One row per person with an order of a known category: the five categories that most of their
-- money went to.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    on_schema_change='fail'
) }}
with orders as (
    select * from {{ ref('int_conversions__orders') }}
    where
        {{ only_affected() }}
        and not is_cancelled
        and exclusion_reason is null
        and user_key is not null
),

product_categories as (
    select
        product_id,
        max_by(category, file_seq * 4294967296 + row_number) as category
    from {{ ref('stg_landing__products') }}
    group by product_id
),

categories_of_order as (
    select
        orders.user_key,
        orders.order_id,
        orders.gross_revenue,
        coalesce(order_items.category, product_categories.category) as category,
        cast(sum(cast(greatest(
            coalesce(order_items.quantity, 1) * coalesce(order_items.unit_price, 0), 0
        ) as decimal(18, 4))) as double) as amount
    from {{ ref('int_conversions__order_items') }} as order_items
    inner join orders
        on order_items.order_id = orders.order_id
    left join product_categories
        on order_items.product_id = product_categories.product_id
    group by
        orders.user_key,
        orders.order_id,
        orders.gross_revenue,
        coalesce(order_items.category, product_categories.category)
),

weighed as (
    select
        *,
        sum(cast(amount as decimal(18, 4))) over (partition by order_id) as order_amount,
        count(*) over (partition by order_id) as categories_count
    from categories_of_order
),

-- An order's revenue goes to its categories as its lines' amounts do; without amounts, in equal
-- parts. Rounded per order, so that the sum is exact in any order of the rows.
parts as (
    select
        user_key,
        order_id,
        category,
        cast(round(
            cast(gross_revenue as double) * case
                when order_amount > 0 then amount / cast(order_amount as double)
                else 1e0 / categories_count
            end, 4
        ) as decimal(18, 4)) as revenue
    from weighed
    where category is not null
),

orders_of_person as (
    select
        user_key,
        count(distinct order_id) as orders_count
    from parts
    group by user_key
),

categories_of_person as (
    select
        parts.user_key,
        parts.category,
        count(*) as orders_count,
        sum(parts.revenue) as revenue,
        sum(sum(parts.revenue)) over (partition by parts.user_key) as person_revenue
    from parts
    group by parts.user_key, parts.category
),

ranked as (
    select
        categories_of_person.user_key,
        categories_of_person.category,
        cast(round(
            categories_of_person.orders_count
            / cast(nullif(orders_of_person.orders_count, 0) as double), 4
        ) as decimal(5, 4)) as orders_share,
        cast(round(
            cast(categories_of_person.revenue as double)
            / cast(nullif(categories_of_person.person_revenue, 0) as double), 4
        ) as decimal(5, 4)) as revenue_share,
        row_number() over (
            partition by categories_of_person.user_key
            order by
                categories_of_person.revenue desc,
                categories_of_person.orders_count desc,
                categories_of_person.category asc
        ) as category_rank
    from categories_of_person
    inner join orders_of_person
        on categories_of_person.user_key = orders_of_person.user_key
),

final as (
    select
        ---------- keys
        user_key,
        ---------- text
        {{ json_objects(['category', 'orders_share', 'revenue_share'], 'category_rank') }}
            as category_affinity
    from ranked
    where category_rank <= 5
    group by user_key
)

select * from final
