-- Each family holds every conversion, its revenue and every session once, whatever the channels.
with told as (
    select
        segment_family,
        sum(conversions) as conversions,
        sum(revenue) as revenue,
        sum(sessions) as sessions
    from {{ ref('kpi_daily') }}
    group by segment_family
),

conversions as (
    select
        count(*) as conversions,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('conversions') }}
),

sessions as (
    select count(*) as sessions from {{ ref('sessions') }}
)

select
    told.segment_family,
    told.conversions,
    told.revenue,
    told.sessions
from told
cross join conversions
cross join sessions
where
    abs(told.conversions - conversions.conversions) > 1e-9 * greatest(conversions.conversions, 1)
    or abs(told.revenue - cast(conversions.revenue as double))
    > 1e-9 * greatest(cast(conversions.revenue as double), 1)
    or told.sessions <> sessions.sessions
