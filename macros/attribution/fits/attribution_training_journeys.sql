{#-
  The training journeys: the set of elements that a journey holds, and its exact path as a number, 6 bits per touchpoint, the first
  lowest; null beyond 20 touchpoints.

  Args:
    touches: relation of group_number, journey_id, touch_number, code, shapley_bit, is_converted.
-#}
{% macro attribution_training_journeys(touches) -%}
select
    group_number,
    journey_id,
    is_converted,
    count(*) as touch_count,
    bit_or(shapley_bit) as shapley_elements,
    case
        when count(*) <= {{ longest_exact_path() }}
            then {{ path_code('code - 1', 'touch_number') }}
    end as path_code
from {{ touches }}
group by group_number, journey_id, is_converted
{%- endmacro %}
