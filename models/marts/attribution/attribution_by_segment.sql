-- One row per attribution model x scope x conversion type x segment family x segment
-- x channel x tactic.
-- A touch counts for the segment of its person as of the touch, credit without a touch for the
-- segment as of the conversion; a conversion of nobody known is unclassified.
{%- set models = attribution_models() %}
with shown_segments as (
    select * from {{ ref('int_attribution__shown_segments') }}
),

segment_totals as (
    select
        {%- for model in models %}
        sum(conversions_{{ model }}) as conversions_{{ model }},
        sum(revenue_{{ model }}) as revenue_{{ model }},
        sum(clv_{{ model }}) as clv_{{ model }},
        {%- endfor %}
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic
    from {{ ref('int_attribution__segment_totals') }}
    group by attribution_scope, conversion_type, segment_family, segment, channel, tactic
),

credits_of_segments as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic,
        conversions_{{ model }} as conversions,
        revenue_{{ model }} as revenue,
        clv_{{ model }} as clv
    from segment_totals
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

summed as (
    select
        credits_of_segments.attribution_model,
        credits_of_segments.attribution_scope,
        credits_of_segments.conversion_type,
        credits_of_segments.segment_family,
        shown_segments.shown_segment as segment,
        credits_of_segments.channel,
        credits_of_segments.tactic,
        sum(credits_of_segments.conversions) as conversions,
        sum(credits_of_segments.revenue) as revenue,
        sum(credits_of_segments.clv) as clv
    from credits_of_segments
    inner join shown_segments
        on
            credits_of_segments.attribution_scope = shown_segments.attribution_scope
            and credits_of_segments.conversion_type = shown_segments.conversion_type
            and credits_of_segments.segment_family = shown_segments.segment_family
            and credits_of_segments.segment = shown_segments.segment
    group by
        credits_of_segments.attribution_model,
        credits_of_segments.attribution_scope,
        credits_of_segments.conversion_type,
        credits_of_segments.segment_family,
        shown_segments.shown_segment,
        credits_of_segments.channel,
        credits_of_segments.tactic
),

final as (
    select
        ---------- keys
        attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic,
        ---------- numbers
        conversions,
        revenue,
        clv,
        conversions / nullif(
            sum(conversions) over (
                partition by attribution_model, attribution_scope, conversion_type, segment_family
            ), 0
        ) as share
    from summed
)

select * from final
