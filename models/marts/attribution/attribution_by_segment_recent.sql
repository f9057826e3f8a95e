-- One row per attribution model x scope x conversion type x segment family x segment x channel
-- x tactic x period (the last 28 and the last 90 days): attribution_by_segment of these days.
{%- set models = attribution_models() %}
{%- set windows = attribution_windows() %}
{%- set keys = [
    'attribution_scope', 'conversion_type', 'segment_family', 'channel', 'tactic'
] %}
with shown_segments as (
    select * from {{ ref('int_attribution__shown_segments') }}
),

recent as (
    select
        totals.*,
        shown_segments.shown_segment,
        {%- for window, days in windows.items() %}
        totals.converted_date >= {{ attribution_window_started_on(days) }} as is_in_{{ window }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_attribution__segment_totals') }} as totals
    inner join shown_segments
        on
            totals.attribution_scope = shown_segments.attribution_scope
            and totals.conversion_type = shown_segments.conversion_type
            and totals.segment_family = shown_segments.segment_family
            and totals.segment = shown_segments.segment
    where
        totals.converted_date >= {{ attribution_window_started_on(windows.values() | max) }}
),

-- Sums over the wide rows, which are fewer than the credits by the number of models.
summed as materialized (
    {%- for window in windows %}
    select
        '{{ window }}' as period,
        shown_segment as segment,
        {%- for model in models %}
        sum(conversions_{{ model }}) as conversions_{{ model }},
        sum(revenue_{{ model }}) as revenue_{{ model }},
        sum(clv_{{ model }}) as clv_{{ model }},
        {%- endfor %}
        {{ keys | join(',\n        ') }}
    from recent
    where is_in_{{ window }}
    group by shown_segment, {{ keys | join(', ') }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

final as (
    {%- for model in models %}
    select
        ---------- keys
        '{{ model }}' as attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic,
        period,
        ---------- numbers
        conversions_{{ model }} as conversions,
        revenue_{{ model }} as revenue,
        clv_{{ model }} as clv
    from summed
    -- What a model gives nothing is a large part, and says nothing.
    where conversions_{{ model }} > 0
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select * from final
