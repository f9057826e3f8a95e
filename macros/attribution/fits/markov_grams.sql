{#-
  Each touchpoint's code and those of the three after it, 7 bits each (0: the journey is over), counted: from these few rows
  follow the transitions of a Markov chain of any order up to 3.

  Args:
    touches: relation of group_number, journey_id, touch_number, code (1 to 127), is_converted.
-#}
{% macro markov_grams(touches) -%}
with followed as (
    select
        group_number,
        is_converted,
        touch_number = 1 as is_first,
        code
        + 128 * lead(code, 1, 0) over following_touches
        + 16384 * lead(code, 2, 0) over following_touches
        + 2097152 * lead(code, 3, 0) over following_touches as gram
    from {{ touches }}
    window following_touches as (
        partition by group_number, journey_id
        order by touch_number
    )
)

select
    group_number,
    is_converted,
    is_first,
    cast(gram as bigint) as gram,
    cast(count(*) as double) as grams_count
from followed
group by group_number, is_converted, is_first, gram
{%- endmacro %}
