{#-
  The training journeys: the set of elements that a journey holds, and its exact path as a number, 6 bits per touchpoint, the first
  lowest; null beyond 20 touchpoints. path_begin and path_end are its halves.

  Args:
    touches: relation of attribution_training_touches.
    elements: relation of attribution_training_elements.
-#}
{% macro attribution_training_journeys(touches, elements) -%}
{#- Ten touchpoints a half: in numbers of 64 bits all costs half of what it does in 128. -#}
{%- set half = longest_exact_path() // 2 -%}
with coded as (
    select
        elements.group_number,
        touches.journey_number,
        touches.is_converted,
        cast(touches.touch_number - 1 as bigint) as place,
        cast(elements.markov_code - 1 as bigint) as code,
        cast(1 as bigint) << cast(elements.shapley_code - 1 as bigint) as shapley_bit
    from {{ touches }} as touches
    inner join {{ elements }} as elements
        on
            touches.attribution_scope = elements.attribution_scope
            and touches.conversion_type = elements.conversion_type
            and touches.element = elements.element
),

journeys as (
    select
        group_number,
        journey_number,
        is_converted,
        count(*) as touch_count,
        bit_or(shapley_bit) as shapley_elements,
        bit_or(case when place < {{ half }} then code << (6 * place) else 0 end) as path_begin,
        bit_or(
            case
                when place >= {{ half }} and place < {{ 2 * half }} then code << (6 * (place - {{ half }}))
                else 0
            end
        ) as path_end
    from coded
    group by group_number, journey_number, is_converted
)

select
    group_number,
    journey_number,
    is_converted,
    touch_count,
    shapley_elements,
    path_begin,
    path_end,
    case
        when touch_count <= {{ longest_exact_path() }}
            then cast(path_begin as hugeint) | (cast(path_end as hugeint) << {{ 6 * half }})
    end as path_code
from journeys
{%- endmacro %}


{#-
  The touches of the training journeys that are too long for a path code, with the codes of their elements.

  Args:
    touches: relation of attribution_training_touches.
    elements: relation of attribution_training_elements.
    journeys: relation of attribution_training_journeys.
-#}
{% macro attribution_long_touches(touches, elements, journeys) -%}
select
    elements.group_number,
    touches.journey_number,
    touches.touch_number,
    cast(elements.markov_code as bigint) as code,
    touches.is_converted
from {{ touches }} as touches
inner join {{ elements }} as elements
    on
        touches.attribution_scope = elements.attribution_scope
        and touches.conversion_type = elements.conversion_type
        and touches.element = elements.element
inner join {{ journeys }} as journeys
    on
        touches.journey_number = journeys.journey_number
        and elements.group_number = journeys.group_number
where journeys.path_code is null
{%- endmacro %}
