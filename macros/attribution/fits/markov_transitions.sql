{#-
  The transitions of the chain of an order. A state is that many consecutive codes, 7 bits each, the first lowest; a shorter
  journey is one short state; the start is 0, a conversion -1, the end without one -2. Equal consecutive states are one.

  Args:
    grams: relation of markov_grams.
    markov_order: 1, 2 or 3.
-#}
{% macro markov_transitions(grams, markov_order) -%}
{%- set mask = 2 ** (7 * markov_order) - 1 -%}
{%- set following = '((gram >> ' ~ 7 * markov_order ~ ') & 127)' -%}
{%- set is_whole = '((gram >> ' ~ 7 * (markov_order - 1) ~ ') & 127) > 0' -%}
with transitions as (
    select
        group_number,
        cast(0 as bigint) as from_state,
        gram & {{ mask }} as to_state,
        grams_count
    from {{ grams }}
    where is_first
    union all
    select
        group_number,
        gram & {{ mask }} as from_state,
        (gram >> 7) & {{ mask }} as to_state,
        grams_count
    from {{ grams }}
    where
        {{ following }} > 0
        and (gram & {{ mask }}) <> ((gram >> 7) & {{ mask }})
    union all
    select
        group_number,
        gram & {{ mask }} as from_state,
        case when is_converted then -1 else -2 end as to_state,
        grams_count
    from {{ grams }}
    where
        {{ following }} = 0
        and (is_first or {{ is_whole }})
)

select
    group_number,
    from_state,
    to_state,
    sum(grams_count) as transitions_count
from transitions
group by group_number, from_state, to_state
{%- endmacro %}
