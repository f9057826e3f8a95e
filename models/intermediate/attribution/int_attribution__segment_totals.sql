-- One row per scope x conversion type x day of the conversion x segment family x segment x channel
-- x tactic, with the credit of each model.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='converted_date',
    meta={'affected': 'int_attribution__affected_days'},
    on_schema_change='fail'
) }}
{%- set models = attribution_models() %}
with labelled as (
    select * from {{ ref('int_attribution__labelled') }}
    where {{ only_affected(
        'converted_date', 'int_attribution__affected_days', 'converted_date'
    ) }}
),

final as (
    {%- for family in segment_families() %}
    select
        {%- for model in models %}
        sum(credit_{{ model }}) as conversions_{{ model }},
        sum(credit_{{ model }} * revenue) as revenue_{{ model }},
        sum(credit_{{ model }} * clv) as clv_{{ model }},
        {%- endfor %}
        attribution_scope,
        conversion_type,
        converted_date,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        channel,
        tactic
    from labelled
    group by
        attribution_scope, conversion_type, converted_date, segment_{{ family }}, channel, tactic
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select * from final
