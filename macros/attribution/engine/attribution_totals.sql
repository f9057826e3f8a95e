{#-
  Credit added up by scope, conversion type, day of the conversion and one dimension, one row per model: sums are taken over
  the wide rows, which are fewer than the credits by the number of models, and stacked afterwards.
-#}
{% macro attribution_totals(dimension) -%}
{%- set models = attribution_models() -%}
with apportioned as (
    select
        *,
        cast(converted_at as date) as converted_date,
        case
            when touchpoint_id is null then 'unattributed'
            else coalesce({{ dimension }}, '(none)')
        end as dimension
    from {{ ref('int_attribution__apportioned') }}
    where
        {{ only_affected(
            'cast(converted_at as date)', 'int_attribution__affected_days', 'converted_date'
        ) }}
),

summed as (
    select
        attribution_scope,
        conversion_type,
        converted_date,
        dimension,
        {%- for model in models %}
        sum(credit_{{ model }}) as conversions_{{ model }},
        sum(credit_{{ model }} * revenue) as revenue_{{ model }},
        sum(credit_{{ model }} * clv) as clv_{{ model }}{{ ',' if not loop.last }}
        {%- endfor %}
    from apportioned
    group by attribution_scope, conversion_type, converted_date, dimension
),

final as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        attribution_scope,
        conversion_type,
        converted_date,
        dimension as {{ dimension }},
        conversions_{{ model }} as conversions,
        revenue_{{ model }} as revenue,
        clv_{{ model }} as clv
    from summed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from final
{%- endmacro %}
