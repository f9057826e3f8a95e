{#-
  The transitions of order 1 of each bootstrap replicate, with group_number * groups_of + replicate as the group. Only the scopes all
  and personalized have replicates. A journey counts as often as its person is drawn; journeys of one path are counted together.

  Args:
    closed_journeys: relation of journey_number, user_key.
    journeys: relation of attribution_training_journeys.
    long_touches: relation of attribution_long_touches.
    elements: relation of attribution_training_elements.
    replicates: how many; less than groups_of.
    groups_of: distance of the groups' new numbers.
-#}
{% macro markov_replicate_transitions(closed_journeys, journeys, long_touches, elements, replicates, groups_of) -%}
{%- set drawn -%}
    {%- for replicate in range(1, replicates + 1) %}
        draws_{{ replicate }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endset -%}
{%- set summed -%}
    {%- for replicate in range(1, replicates + 1) %}
        sum(draws_{{ replicate }}) as draws_{{ replicate }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endset -%}
with people as (
    select distinct user_key from {{ closed_journeys }}
),

draws as (
    {{ bootstrap_people('people', replicates) }}
),

drawn_journeys as (
    select
        journeys.group_number,
        journeys.journey_number,
        journeys.is_converted,
        journeys.touch_count,
        journeys.path_begin,
        journeys.path_end,
        {%- for replicate in range(1, replicates + 1) %}
        cast(draws.draws_{{ replicate }} as double) as draws_{{ replicate }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ journeys }} as journeys
    inner join {{ closed_journeys }} as closed_journeys
        on journeys.journey_number = closed_journeys.journey_number
    inner join draws
        on closed_journeys.user_key = draws.user_key
    where
        journeys.group_number in (
            select elements.group_number from {{ elements }} as elements
            where elements.attribution_scope in ('all', 'personalized')
        )
),

paths as (
    select
        group_number,
        is_converted,
        touch_count,
        path_begin,
        path_end,
        {{ summed }}
    from drawn_journeys
    where touch_count <= {{ longest_exact_path() }}
    group by group_number, is_converted, touch_count, path_begin, path_end
),

-- Place n lies between touch n and touch n + 1; 0 is before the first.
moves_of_paths as (
    select
        paths.group_number,
        case when places.place > 0 then ({{ codes_at_place('places.place - 1') }} & 63) + 1 else 0 end as from_state,
        case
            when places.place < paths.touch_count then ({{ codes_at_place('places.place') }} & 63) + 1
            when paths.is_converted then -1
            else -2
        end as to_state,
        {{ drawn }}
    from paths
    inner join (select {{ explode_range('0', longest_exact_path()) }} as place) as places
        on paths.touch_count >= places.place
),

long_touches as (
    select
        *,
        lag(code, 1, 0) over journey_touches as code_before,
        lead(code, 1, 0) over journey_touches as code_after
    from {{ long_touches }}
    window journey_touches as (partition by group_number, journey_number order by touch_number)
),

moves_of_long_journeys as (
    select
        group_number,
        journey_number,
        code_before as from_state,
        code as to_state
    from long_touches
    union all
    select
        group_number,
        journey_number,
        code as from_state,
        case when is_converted then -1 else -2 end as to_state
    from long_touches
    where code_after = 0
),

moves as (
    select * from moves_of_paths
    union all
    select
        moves_of_long_journeys.group_number,
        moves_of_long_journeys.from_state,
        moves_of_long_journeys.to_state,
        {{ drawn }}
    from moves_of_long_journeys
    inner join drawn_journeys
        on
            moves_of_long_journeys.group_number = drawn_journeys.group_number
            and moves_of_long_journeys.journey_number = drawn_journeys.journey_number
),

transitions as materialized (
    select
        group_number,
        from_state,
        to_state,
        {{ summed }}
    from moves
    group by group_number, from_state, to_state
)

{% for replicate in range(1, replicates + 1) -%}
select
    group_number * {{ groups_of }} + {{ replicate }} as group_number,
    cast(from_state as bigint) as from_state,
    cast(to_state as bigint) as to_state,
    draws_{{ replicate }} as transitions_count
from transitions
where draws_{{ replicate }} > 0
{% if not loop.last %}union all
{% endif -%}
{%- endfor %}
{%- endmacro %}
