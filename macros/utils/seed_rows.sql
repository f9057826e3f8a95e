{#-
  The rows of a seed while SQL is compiled, so that its patterns are constants of the query; none while the project is
  parsed, or where the seed is not loaded.
-#}
{% macro seed_rows(seed, order_by) -%}
    {%- set relation = load_relation(ref(seed)) -%}
    {%- if not execute or relation is none -%}
        {{ return([]) }}
    {%- endif -%}
    {{ return(run_query('select * from ' ~ relation ~ ' order by ' ~ order_by).rows) }}
{%- endmacro %}
