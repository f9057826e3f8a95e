{#-
  The rows of one version of ml.attribution_element_weights, from the tables that attribution_fit kept.

  Args:
    groups_of: what the replicates' group numbers are counted in.
-#}
{% macro attribution_fitted_weights(groups_of) -%}
with sizes as (
    select
        group_number,
        count(*) as journeys_count,
        cast(sum(case when is_converted then 1 else 0 end) as bigint) as conversions_count
    from fit_journeys
    group by group_number
),

{%- for kind in ['markov', 'shapley'] %}

{{ kind }}_elements as (
    select
        group_number,
        attribution_scope,
        conversion_type,
        {{ kind }}_code as state,
        {{ kind }}_element as element,
        {{ kind }}_is_grouped as is_grouped,
        cast(sum(touches_count) as bigint) as touches_count
    from fit_elements
    group by
        group_number,
        attribution_scope,
        conversion_type,
        {{ kind }}_code,
        {{ kind }}_element,
        {{ kind }}_is_grouped
),
{%- endfor %}

-- The Shapley value of counts: each converting journey is shared equally by its distinct elements.
additive as (
    select
        journeys.group_number,
        elements.state,
        sum(
            case
                when journeys.is_converted
                    then 1e0 / bit_count(journeys.shapley_elements)
                else 0e0
            end
        ) as shapley_value
    from fit_journeys as journeys
    inner join shapley_elements as elements
        on
            journeys.group_number = elements.group_number
            and ((journeys.shapley_elements >> cast(elements.state - 1 as bigint)) & 1) = 1
    group by journeys.group_number, elements.state
),

learned as (
    {%- for markov_order in [1, 2, 3] %}
    select
        'markov_{{ markov_order }}' as attribution_model,
        'markov' as kind,
        group_number,
        0 as replicate,
        state,
        removal_effect as weight,
        residual,
        {{ markov_order }} as markov_order
    from fit_markov_{{ markov_order }}
    union all
    {%- endfor %}
    select
        'markov_1' as attribution_model,
        'markov' as kind,
        group_number // {{ groups_of }} as group_number,
        group_number % {{ groups_of }} as replicate,
        state,
        removal_effect as weight,
        residual,
        1 as markov_order
    from fit_replicates
    union all
    select
        'shapley' as attribution_model,
        'shapley' as kind,
        group_number,
        0 as replicate,
        state,
        shapley_value as weight,
        residual,
        cast(null as integer) as markov_order
    from fit_shapley
    union all
    select
        'shapley_additive' as attribution_model,
        'shapley' as kind,
        group_number,
        0 as replicate,
        state,
        shapley_value as weight,
        0e0 as residual,
        cast(null as integer) as markov_order
    from additive
    union all
    select
        'leave_one_out' as attribution_model,
        'markov' as kind,
        elements.group_number,
        0 as replicate,
        elements.state,
        coalesce(gains.mean_gain, 0e0) as weight,
        0e0 as residual,
        cast(null as integer) as markov_order
    from markov_elements as elements
    left join fit_path_gains as gains
        on
            elements.group_number = gains.group_number
            and elements.state = gains.state
),

named as (
    select
        learned.attribution_model,
        elements.attribution_scope,
        elements.conversion_type,
        learned.replicate,
        elements.element,
        elements.is_grouped,
        learned.state - 1 as element_code,
        coalesce(learned.weight, 0e0) as weight,
        learned.residual,
        learned.markov_order,
        elements.touches_count,
        sizes.journeys_count,
        sizes.conversions_count
    from learned
    inner join (
        {%- for kind in ['markov', 'shapley'] %}
        select
            '{{ kind }}' as kind,
            {{ kind }}_elements.*
        from {{ kind }}_elements
        {% if not loop.last %}union all{% endif %}
        {%- endfor %}
    ) as elements
        on
            learned.kind = elements.kind
            and learned.group_number = elements.group_number
            and learned.state = elements.state
    inner join sizes
        on learned.group_number = sizes.group_number
)

select
    attribution_model,
    attribution_scope,
    conversion_type,
    cast(replicate as integer) as replicate,
    element,
    is_grouped,
    cast(element_code as integer) as element_code,
    weight,
    greatest(weight, 0e0) / nullif(
        sum(greatest(weight, 0e0)) over (
            partition by attribution_model, attribution_scope, conversion_type, replicate
        ), 0e0
    ) as share,
    residual,
    markov_order,
    touches_count,
    journeys_count,
    conversions_count,
    case
        when conversions_count = 0
            then 'no conversion in the training period: nothing can be learned'
        when conversions_count = journeys_count
            then 'no journey without conversion in the training period: what prevents conversions cannot be told'
    end as remark
from named
{%- endmacro %}
