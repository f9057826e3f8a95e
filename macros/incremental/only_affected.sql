{#-
  On an incremental night: that a key is affected, or is no key; else always true.

  Args:
    key: expression of the key.
    keys: the model that lists the affected keys.
    column: its column.
-#}
{% macro only_affected(key='user_key', keys='int_nights__affected_users', column='user_key') -%}
    {#- Outside the condition, so that dbt knows of the dependency. -#}
    {%- set affected = ref(keys) -%}
    {%- if adds_to_built() -%}
    (
        {{ key }} is null
        or {{ key }} in (select affected.{{ column }} from {{ affected }} as affected)
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
