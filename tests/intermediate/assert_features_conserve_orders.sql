-- Per person, the features of now hold every order and its net revenue, neither more nor less.
with orders as (
    select
        user_key,
        count(*) as orders_count,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('int_conversions__orders') }}
    where
        not is_cancelled
        and exclusion_reason is null
        and user_key is not null
    group by user_key
)

select
    coalesce(orders.user_key, features.user_key) as user_key,
    orders.orders_count,
    orders.revenue,
    features.orders_count as feature_orders_count,
    features.revenue as feature_revenue
from orders
full outer join {{ ref('int_features__now') }} as features
    on orders.user_key = features.user_key
where
    features.orders_count is null
    or coalesce(orders.orders_count, 0) <> features.orders_count
    or coalesce(orders.revenue, 0) <> features.revenue
