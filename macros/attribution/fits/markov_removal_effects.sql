{#-
  Removal effects of a chain of order 1, exact: RE(s) = F(start, s) v(s) / v(start), where v is the probability of a conversion from
  a state, F(start, s) = N[start, s] / N[s, s] that of ever reaching s, and N = (I - Q)^-1 the expected visits. N is the sum of all
  powers of Q, by repeated squaring: after 20 rounds it holds paths of two million steps. `residual` is the largest
  entry of |I + Q N - N|. A chain without a conversion has removal effects of null.

  Args:
    transitions: relation of group_number, from_state, to_state (0 start, -1 conversion, -2 end without one), transitions_count.
    rounds: how often to square.
-#}
{% macro markov_removal_effects(transitions, rounds=20) -%}
with outflows as (
    select
        group_number,
        from_state,
        sum(transitions_count) as transitions_count
    from {{ transitions }}
    group by group_number, from_state
),

probabilities as (
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
    where transitions.transitions_count > 0
),

identity_matrix as (
    select
        group_number,
        from_state,
        from_state as to_state,
        1e0 as probability
    from outflows
    where transitions_count > 0
),

power_0 as materialized (
    select * from probabilities
    where to_state > 0
),

visits_0 as materialized (
    select
        group_number,
        from_state,
        to_state,
        sum(probability) as probability
    from (
        select * from identity_matrix
        union all
        select * from power_0
    ) as first_terms
    group by group_number, from_state, to_state
),
{% for round in range(1, rounds + 1) %}
power_{{ round }} as materialized (
    select
        steps.group_number,
        steps.from_state,
        next_steps.to_state,
        sum(steps.probability * next_steps.probability) as probability
    from power_{{ round - 1 }} as steps
    inner join power_{{ round - 1 }} as next_steps
        on
            steps.group_number = next_steps.group_number
            and steps.to_state = next_steps.from_state
    group by steps.group_number, steps.from_state, next_steps.to_state
    -- What is smaller than this changes no digit of a sum of ones.
    having sum(steps.probability * next_steps.probability) > 1e-40
),

visits_{{ round }} as materialized (
    select
        group_number,
        from_state,
        to_state,
        sum(probability) as probability
    from (
        select * from visits_{{ round - 1 }}
        union all
        select
            visits.group_number,
            visits.from_state,
            steps.to_state,
            visits.probability * steps.probability as probability
        from visits_{{ round - 1 }} as visits
        inner join power_{{ round }} as steps
            on
                visits.group_number = steps.group_number
                and visits.to_state = steps.from_state
    ) as more_terms
    group by group_number, from_state, to_state
),
{% endfor %}
visits as (
    select * from visits_{{ rounds }}
),

-- I + Q N - N, entry by entry.
gaps as (
    select
        group_number,
        sum(probability) as gap
    from (
        select * from identity_matrix
        union all
        select
            steps.group_number,
            steps.from_state,
            visits.to_state,
            steps.probability * visits.probability as probability
        from power_0 as steps
        inner join visits
            on
                steps.group_number = visits.group_number
                and steps.to_state = visits.from_state
        union all
        select
            group_number,
            from_state,
            to_state,
            -probability as probability
        from visits
    ) as terms
    group by group_number, from_state, to_state
),

residuals as (
    select
        group_number,
        max(abs(gap)) as residual
    from gaps
    group by group_number
),

conversion_probabilities as (
    select
        visits.group_number,
        visits.from_state,
        sum(visits.probability * probabilities.probability) as probability
    from visits
    inner join probabilities
        on
            visits.group_number = probabilities.group_number
            and visits.to_state = probabilities.from_state
    where probabilities.to_state = -1
    group by visits.group_number, visits.from_state
)

select
    reached.group_number,
    reached.to_state as state,
    case
        when from_start.probability > 0e0
            then
                reached.probability / own.probability
                * coalesce(from_state.probability, 0e0) / from_start.probability
    end as removal_effect,
    residuals.residual
from visits as reached
inner join visits as own
    on
        reached.group_number = own.group_number
        and reached.to_state = own.from_state
        and reached.to_state = own.to_state
inner join residuals
    on reached.group_number = residuals.group_number
left join conversion_probabilities as from_state
    on
        reached.group_number = from_state.group_number
        and reached.to_state = from_state.from_state
left join conversion_probabilities as from_start
    on
        reached.group_number = from_start.group_number
        and from_start.from_state = 0
where
    reached.from_state = 0
    and reached.to_state > 0
{%- endmacro %}
