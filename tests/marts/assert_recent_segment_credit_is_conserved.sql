-- Credit of each family in a period = credit by channel of the same days.
with bounds as (
    {%- for window, days in attribution_windows().items() %}
    select
        '{{ window }}' as period,
        {{ attribution_window_started_on(days) }} as started_on
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

credited as (
    select
        attribution_by_channel.attribution_model,
        attribution_by_channel.attribution_scope,
        attribution_by_channel.conversion_type,
        bounds.period,
        sum(attribution_by_channel.conversions) as conversions,
        sum(attribution_by_channel.revenue) as revenue
    from {{ ref('attribution_by_channel') }} as attribution_by_channel
    inner join bounds
        on attribution_by_channel.converted_date >= bounds.started_on
    where attribution_by_channel.attribution_scope in ('all', 'personalized')
    group by
        attribution_by_channel.attribution_model,
        attribution_by_channel.attribution_scope,
        attribution_by_channel.conversion_type,
        bounds.period
),

families as (
    select distinct segment_family
    from {{ ref('attribution_by_segment') }}
),

by_segment as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        period,
        sum(conversions) as conversions,
        sum(revenue) as revenue
    from {{ ref('attribution_by_segment_recent') }}
    group by attribution_model, attribution_scope, conversion_type, segment_family, period
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
        and credited.period = by_segment.period
where
    by_segment.conversions is null
    or abs(by_segment.conversions - credited.conversions) > 1e-9 * credited.conversions
    or abs(by_segment.revenue - credited.revenue) > 1e-9 * (1 + abs(credited.revenue))
