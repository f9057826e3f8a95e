{#-
  How often each person is drawn in each replicate of a Poisson bootstrap: columns draws_1 .. draws_<replicates>, Poisson with mean 1.
  The draw follows from the person's key and the replicate alone: 8 hexadecimal digits of an md5, compared as text with the
  cumulative probabilities of the distribution, so that any two runs draw alike.

  Args:
    people: relation of user_key, one row per person.
    replicates: how many.
-#}
{% macro bootstrap_people(people, replicates) -%}
{%- set ns = namespace(term=0.36787944117144233, below=0.0) -%}
{%- set limits = [] -%}
{%- for number in range(12) -%}
    {%- set ns.below = ns.below + ns.term -%}
    {%- do limits.append('%08x' | format((ns.below * 4294967296) | int)) -%}
    {%- set ns.term = ns.term / (number + 1) -%}
{%- endfor -%}
{%- set digests = (replicates + 3) // 4 -%}
with digests as (
    select
        user_key,
        {%- for digest in range(digests) %}
        md5(user_key || '|{{ digest }}') as digest_{{ digest }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ people }}
)

select
    user_key,
    {%- for replicate in range(1, replicates + 1) %}
    {%- set digits = 'substr(digest_' ~ (replicate - 1) // 4 ~ ', ' ~ (1 + 8 * ((replicate - 1) % 4)) ~ ', 8)' %}
    case
        {%- for limit in limits %}
        when {{ digits }} < '{{ limit }}' then {{ loop.index0 }}
        {%- endfor %}
        else {{ limits | length }}
    end as draws_{{ replicate }}{{ ',' if not loop.last }}
    {%- endfor %}
from digests
{%- endmacro %}
