-- Every kind of path holds every conversion once, with its revenue.
with paths as (
    select
        path_kind,
        sum(conversions) as conversions,
        sum(revenue) as revenue
    from {{ ref('path_summary') }}
    group by path_kind
),

conversions as (
    select
        count(*) as conversions,
        sum(revenue) as revenue
    from {{ ref('conversions') }}
)

select
    paths.*,
    conversions.conversions as expected_conversions,
    conversions.revenue as expected_revenue
from paths
cross join conversions
where
    paths.conversions <> conversions.conversions
    or paths.revenue <> conversions.revenue
