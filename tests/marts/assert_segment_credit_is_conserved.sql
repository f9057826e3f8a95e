-- Per model, scope, conversion type and segment family, the segments share exactly the credit.
with credited as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        count(distinct conversion_id) as conversions,
        sum(credited_revenue) as revenue,
        sum(credited_clv) as clv
    from {{ ref('attribution_credits') }}
    group by attribution_model, attribution_scope, conversion_type
),

families as (
    select segment_family
    from {{ ref('segment_definitions') }}
    group by segment_family
),

by_segment as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        sum(conversions) as conversions,
        sum(revenue) as revenue,
        sum(clv) as clv,
        sum(share) as share
    from {{ ref('attribution_by_segment') }}
    group by attribution_model, attribution_scope, conversion_type, segment_family
)

select
    credited.*,
    families.segment_family,
    by_segment.conversions as segment_conversions,
    by_segment.revenue as segment_revenue
from credited
cross join families
left join by_segment
    on
        credited.attribution_model = by_segment.attribution_model
        and credited.attribution_scope = by_segment.attribution_scope
        and credited.conversion_type = by_segment.conversion_type
        and families.segment_family = by_segment.segment_family
where
    by_segment.conversions is null
    or abs(by_segment.conversions - credited.conversions) > 1e-9 * credited.conversions
    or abs(by_segment.revenue - credited.revenue) > 1e-9 * (1 + abs(credited.revenue))
    or abs(by_segment.clv - credited.clv) > 1e-9 * (1 + abs(credited.clv))
    or abs(by_segment.share - 1) > 1e-9
