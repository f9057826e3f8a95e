-- Nothing that a feature row tells happened at or after its moment.
select
    moment_type,
    moment_id,
    first_seen_at,
    last_order_at,
    previous_order_at,
    feature_at
from {{ ref('int_features__as_of_moment') }}
where
    first_seen_at >= feature_at
    or last_order_at >= feature_at
    or previous_order_at > last_order_at
