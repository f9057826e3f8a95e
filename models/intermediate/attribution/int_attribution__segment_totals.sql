-- One row per scope x conversion type x day of the conversion x segment family x segment x channel
-- x tactic, with the credit of each model.
-- A touch counts for the segment of its person as of the touch, credit without a touch for the
-- segment as of the conversion; a conversion of nobody known is unclassified.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='converted_date',
    meta={'affected': 'int_attribution__affected_days'},
    on_schema_change='fail'
) }}
{%- set models = attribution_models() %}
with apportioned as (
    select * from {{ ref('int_attribution__apportioned') }}
    where
        attribution_scope in ('all', 'personalized')
        and {{ only_affected(
            'cast(converted_at as date)', 'int_attribution__affected_days', 'converted_date'
        ) }}
),

labelled_moments as (
    select * from {{ ref('int_segments__labelled_moments') }}
    where moment_type in ('touch', 'conversion')
),

labelled as (
    {{ labelled_credit('apportioned', 'labelled_moments') }}
),

-- One pass over the credit: by the segments of all families at once.
combinations as (
    select
        {%- for model in models %}
        sum(credit_{{ model }}) as conversions_{{ model }},
        sum(credit_{{ model }} * revenue) as revenue_{{ model }},
        sum(credit_{{ model }} * clv) as clv_{{ model }},
        {%- endfor %}
        attribution_scope,
        conversion_type,
        converted_date,
        {{ segment_columns() | join(',\n        ') }},
        channel,
        coalesce(tactic, 'none') as tactic
    from labelled
    group by
        attribution_scope,
        conversion_type,
        converted_date,
        {{ segment_columns() | join(',\n        ') }},
        channel,
        coalesce(tactic, 'none')
),

final as (
    {%- for family in segment_families() %}
    select
        {%- for model in models %}
        sum(conversions_{{ model }}) as conversions_{{ model }},
        sum(revenue_{{ model }}) as revenue_{{ model }},
        sum(clv_{{ model }}) as clv_{{ model }},
        {%- endfor %}
        attribution_scope,
        conversion_type,
        converted_date,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        channel,
        tactic
    from combinations
    group by
        attribution_scope, conversion_type, converted_date, segment_{{ family }}, channel, tactic
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select * from final
