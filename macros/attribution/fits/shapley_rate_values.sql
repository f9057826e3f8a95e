{#-
  Shapley values of the game whose value of a set of elements is the conversion rate of the journeys within it, exact: bitmask
  coalitions, sums over subsets by one round per element, then each element's marginal values weighted by the size of the set.
  The empty set and sets within which there is no journey are worth 0. `residual` is |sum of values - value of all|.

  Args:
    journeys: relation of group_number, elements (bit code - 1 of each element of the journey), journeys_count, conversions_count.
    most_elements: elements that a group has at most.
-#}
{% macro shapley_rate_values(journeys, most_elements) -%}
with group_sizes as (
    select
        group_number,
        {%- for bit in range(most_elements) %}
        {{ '+ ' if not loop.first }}max((elements >> {{ bit }}) & 1)
        {%- endfor %} as elements_count
    from {{ journeys }}
    group by group_number
),

coalitions as (
    select
        group_number,
        elements_count,
        {{ explode_range('0', '(cast(1 as bigint) << cast(elements_count as bigint)) - 1') }} as coalition
    from group_sizes
),

subsets_0 as materialized (
    select
        coalitions.group_number,
        coalitions.coalition,
        coalesce(sum(journeys.journeys_count), 0) as journeys_count,
        coalesce(sum(journeys.conversions_count), 0) as conversions_count
    from coalitions
    left join {{ journeys }} as journeys
        on
            coalitions.group_number = journeys.group_number
            and coalitions.coalition = journeys.elements
    group by coalitions.group_number, coalitions.coalition
),
{% for bit in range(most_elements) %}
subsets_{{ bit + 1 }} as materialized (
    select
        subsets.group_number,
        subsets.coalition,
        subsets.journeys_count + coalesce(smaller.journeys_count, 0) as journeys_count,
        subsets.conversions_count + coalesce(smaller.conversions_count, 0) as conversions_count
    from subsets_{{ bit }} as subsets
    left join subsets_{{ bit }} as smaller
        on
            subsets.group_number = smaller.group_number
            and case
                when (subsets.coalition & {{ 2 ** bit }}) <> 0
                    then subsets.coalition - {{ 2 ** bit }}
            end = smaller.coalition
),
{% endfor %}
worths as materialized (
    select
        subsets.group_number,
        group_sizes.elements_count,
        subsets.coalition,
        cast(bit_count(subsets.coalition) as bigint) as members_count,
        case
            when subsets.coalition = 0 then 0e0
            else coalesce(
                cast(subsets.conversions_count as double)
                / nullif(cast(subsets.journeys_count as double), 0e0),
                0e0
            )
        end as worth
    from subsets_{{ most_elements }} as subsets
    inner join group_sizes
        on subsets.group_number = group_sizes.group_number
),

-- Share of the orders of joining in which an element joins a coalition of some size.
order_shares (elements_count, members_count, order_share) as (
    values
    {%- for elements in range(1, most_elements + 1) %}
    {%- set outer_last = loop.last %}
    {%- set term = namespace(binomial=1) %}
    {%- for members in range(elements) %}
    {%- if members > 0 %}
    {%- set term.binomial = term.binomial * (elements - members) // members %}
    {%- endif %}
    ({{ elements }}, {{ members }}, 1e0 / {{ elements * term.binomial }}e0){{ ',' if not (outer_last and loop.last) }}
    {%- endfor %}
    {%- endfor %}
),

codes as (
    select
        group_number,
        elements_count,
        {{ explode_range('0', 'cast(elements_count as bigint) - 1') }} as bit
    from group_sizes
),

shapley_values as (
    select
        codes.group_number,
        codes.bit + 1 as state,
        sum(
            case
                when ((worths.coalition >> codes.bit) & 1) = 1
                    then worths.worth * order_shares_of_joined.order_share
                else -worths.worth * order_shares.order_share
            end
        ) as shapley_value
    from codes
    inner join worths
        on codes.group_number = worths.group_number
    left join order_shares
        on
            codes.elements_count = order_shares.elements_count
            and worths.members_count = order_shares.members_count
    left join order_shares as order_shares_of_joined
        on
            codes.elements_count = order_shares_of_joined.elements_count
            and worths.members_count - 1 = order_shares_of_joined.members_count
    group by codes.group_number, codes.bit
),

residuals as (
    select
        shapley_values.group_number,
        abs(sum(shapley_values.shapley_value) - max(worths.worth)) as residual
    from shapley_values
    inner join worths
        on shapley_values.group_number = worths.group_number
    where worths.members_count = worths.elements_count
    group by shapley_values.group_number
)

select
    shapley_values.group_number,
    shapley_values.state,
    shapley_values.shapley_value,
    residuals.residual
from shapley_values
inner join residuals
    on shapley_values.group_number = residuals.group_number
{%- endmacro %}
