-- By month the conversions and revenue of each dimension are those of the credits, and no interval
-- is the wrong way round.
with intervals as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        dimension,
        sum(conversions) as conversions,
        sum(revenue) as revenue,
        sum(
            case
                when
                    conversions_ci_low <= conversions_ci_high
                    and revenue_ci_low <= revenue_ci_high
                    then 0
                else 1
            end
        ) as backward_intervals
    from {{ ref('attribution_intervals') }}
    where period = 'month'
    group by attribution_model, attribution_scope, conversion_type, dimension
),

credits as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        sum(credit) as conversions,
        sum(credited_revenue) as revenue
    from {{ ref('attribution_credits') }}
    group by attribution_model, attribution_scope, conversion_type
)

select
    intervals.*,
    credits.conversions as credited_conversions,
    credits.revenue as credited_revenue
from intervals
full outer join credits
    on
        intervals.attribution_model = credits.attribution_model
        and intervals.attribution_scope = credits.attribution_scope
        and intervals.conversion_type = credits.conversion_type
where
    not coalesce(
        abs(intervals.conversions - credits.conversions) <= 1e-9 * credits.conversions, false
    )
    or not coalesce(
        abs(intervals.revenue - credits.revenue) <= 1e-9 * greatest(abs(credits.revenue), 1), false
    )
    or intervals.backward_intervals > 0
