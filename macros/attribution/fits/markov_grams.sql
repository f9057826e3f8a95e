{#-
  Each touchpoint's code and those of the three after it, 7 bits each (0: the journey is over), counted: from these few rows
  follow the transitions of a Markov chain of any order up to 3. Journeys of one path are counted together; only those too long for
  a path are sorted.

  Args:
    journeys: relation of attribution_training_journeys.
    long_touches: relation of attribution_long_touches.
-#}
{% macro markov_grams(journeys, long_touches) -%}
{%- set longest = longest_exact_path() -%}
{#- One number to group by costs half of what four columns do. -#}
{%- set group, converts, begins = 2 ** 30, 2 ** 29, 2 ** 28 -%}
with paths as (
    select
        group_number,
        is_converted,
        touch_count,
        path_begin,
        path_end,
        cast(count(*) as double) as journeys_count
    from {{ journeys }}
    where path_code is not null
    group by group_number, is_converted, touch_count, path_begin, path_end
),

touches_of_paths as (
    select
        paths.*,
        places.place,
        {{ codes_at_place('places.place') }} as codes
    from paths
    inner join (select {{ explode_range('0', longest - 1) }} as place) as places
        on paths.touch_count > places.place
),

grams_of_paths as (
    select
        group_number * {{ group }}
        + case when is_converted then {{ converts }} else 0 end
        + case when place = 0 then {{ begins }} else 0 end
        + (codes & 63) + 1
        {%- for following in [1, 2, 3] %}
        + case
            when touch_count - place > {{ following }}
                then {{ 128 ** following }} * (((codes >> {{ 6 * following }}) & 63) + 1)
            else 0
        end
        {%- endfor %} as gram,
        journeys_count
    from touches_of_paths
),

grams_of_long_journeys as (
    select
        group_number * {{ group }}
        + case when is_converted then {{ converts }} else 0 end
        + case when touch_number = 1 then {{ begins }} else 0 end
        + code
        + 128 * lead(code, 1, 0) over following_touches
        + 16384 * lead(code, 2, 0) over following_touches
        + 2097152 * lead(code, 3, 0) over following_touches as gram,
        1e0 as journeys_count
    from {{ long_touches }}
    window following_touches as (
        partition by group_number, journey_number
        order by touch_number
    )
),

counted as (
    select
        gram,
        sum(journeys_count) as grams_count
    from (
        select * from grams_of_paths
        union all
        select * from grams_of_long_journeys
    ) as grams
    group by gram
)

select
    gram // {{ group }} as group_number,
    (gram & {{ converts }}) > 0 as is_converted,
    (gram & {{ begins }}) > 0 as is_first,
    gram & {{ begins - 1 }} as gram,
    grams_count
from counted
{%- endmacro %}
