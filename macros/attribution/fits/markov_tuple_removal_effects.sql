{#-
  Removal effects of a chain of order 1 to 3, exact: removing an element removes every state that holds it, and what would go there
  goes to no conversion. The start's mass is followed step by step, once with nothing removed (element 0) and once per element,
  until less than 1e-18 of it is left anywhere. `residual` is the mass that was neither absorbed nor removed, which
  bounds the error of the conversion probability. A chain without a conversion has removal effects of null.

  Args:
    transitions: relation of markov_transitions.
-#}
{% macro markov_tuple_removal_effects(transitions) -%}
{%- set holds = "(moves.to_state & 127, (moves.to_state >> 7) & 127, (moves.to_state >> 14) & 127)" -%}
with recursive outflows as (
    select
        group_number,
        from_state,
        sum(transitions_count) as transitions_count
    from {{ transitions }}
    group by group_number, from_state
),

moves as materialized (
    select
        transitions.group_number,
        transitions.from_state,
        transitions.to_state,
        transitions.transitions_count / outflows.transitions_count as probability
    from {{ transitions }} as transitions
    inner join outflows
        on
            transitions.group_number = outflows.group_number
            and transitions.from_state = outflows.from_state
),

-- Every element that a state holds, and 0 for the whole chain.
removals as (
    {%- for bits in [0, 7, 14] %}
    select
        group_number,
        (to_state >> {{ bits }}) & 127 as removed
    from moves
    where
        to_state > 0
        and ((to_state >> {{ bits }}) & 127) > 0
    union
    {%- endfor %}
    select
        group_number,
        0 as removed
    from moves
),

steps as (
    select
        group_number,
        removed,
        cast(0 as bigint) as state,
        1e0 as mass
    from removals
    union all
    select
        steps.group_number,
        steps.removed,
        moves.to_state as state,
        sum(steps.mass * moves.probability) as mass
    from steps
    inner join moves
        on
            steps.group_number = moves.group_number
            and steps.state = moves.from_state
    where
        moves.to_state > 0
        and (steps.removed = 0 or steps.removed not in {{ holds }})
    group by steps.group_number, steps.removed, moves.to_state
    having sum(steps.mass * moves.probability) > 1e-18
),

visits as (
    select
        group_number,
        removed,
        state,
        sum(mass) as visits
    from steps
    group by group_number, removed, state
),

outcomes as (
    select
        visits.group_number,
        visits.removed,
        sum(case when moves.to_state = -1 then visits.visits * moves.probability else 0e0 end)
            as conversion_probability,
        abs(1e0 - sum(
            case
                when
                    moves.to_state < 0
                    or (visits.removed > 0 and visits.removed in {{ holds }})
                    then visits.visits * moves.probability
                else 0e0
            end
        )) as lost_mass
    from visits
    inner join moves
        on
            visits.group_number = moves.group_number
            and visits.state = moves.from_state
    group by visits.group_number, visits.removed
)

select
    without_element.group_number,
    without_element.removed as state,
    case
        when whole.conversion_probability > 0e0
            then 1e0 - without_element.conversion_probability / whole.conversion_probability
    end as removal_effect,
    greatest(without_element.lost_mass, whole.lost_mass) as residual
from outcomes as without_element
inner join outcomes as whole
    on
        without_element.group_number = whole.group_number
        and whole.removed = 0
where without_element.removed > 0
{%- endmacro %}
