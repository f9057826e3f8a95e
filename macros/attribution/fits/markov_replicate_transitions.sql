{#-
  The transitions of order 1 of each bootstrap replicate, with group_number * groups_of + replicate as the group. Only the scopes all
  and personalized have replicates.

  Args:
    touches: relation of group_number, journey_id, user_key, touch_number, code, is_converted.
    elements: relation of attribution_training_elements.
    replicates: how many; less than groups_of.
    groups_of: distance of the groups' new numbers.
-#}
{% macro markov_replicate_transitions(touches, elements, replicates, groups_of) -%}
with followed as (
    select
        group_number,
        user_key,
        code,
        is_converted,
        lag(code, 1, 0) over journey_touches as code_before,
        lead(code, 1, 0) over journey_touches as code_after
    from {{ touches }}
    where
        group_number in (
            select elements.group_number from {{ elements }} as elements
            where elements.attribution_scope in ('all', 'personalized')
        )
    window journey_touches as (partition by group_number, journey_id order by touch_number)
),

moves as (
    select
        group_number,
        user_key,
        code_before as from_state,
        code as to_state
    from followed
    union all
    select
        group_number,
        user_key,
        code as from_state,
        case when is_converted then -1 else -2 end as to_state
    from followed
    where code_after = 0
),

moves_of_people as (
    select
        group_number,
        user_key,
        from_state,
        to_state,
        count(*) as moves_count
    from moves
    group by group_number, user_key, from_state, to_state
),

people as (
    select distinct user_key from moves_of_people
),

draws as (
    {{ bootstrap_people('people', replicates) }}
),

summed as (
    select
        moves_of_people.group_number,
        moves_of_people.from_state,
        moves_of_people.to_state,
        {%- for replicate in range(1, replicates + 1) %}
        sum(moves_of_people.moves_count * draws.draws_{{ replicate }}) as moves_{{ replicate }}{{ ',' if not loop.last }}
        {%- endfor %}
    from moves_of_people
    inner join draws
        on moves_of_people.user_key = draws.user_key
    group by
        moves_of_people.group_number, moves_of_people.from_state, moves_of_people.to_state
)

{% for replicate in range(1, replicates + 1) -%}
select
    group_number * {{ groups_of }} + {{ replicate }} as group_number,
    cast(from_state as bigint) as from_state,
    cast(to_state as bigint) as to_state,
    cast(moves_{{ replicate }} as double) as transitions_count
from summed
where moves_{{ replicate }} > 0
{% if not loop.last %}union all
{% endif -%}
{%- endfor %}
{%- endmacro %}
