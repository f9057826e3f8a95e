{#-
  On an incremental night: the join that leaves of a relation the rows of affected people from their `from_at` on, with the
  columns of the keys as `affected`; else nothing.

  Args:
    relation: alias of the relation; it has the columns of the key.
    moment: expression of a row's time.
    keys: the model that lists the keys with from_at.
    columns: of the key.
-#}
{% macro join_affected(relation, moment, keys='int_nights__affected_users', columns=['user_key']) -%}
    {#- Outside the condition, so that dbt knows of the dependency. -#}
    {%- set affected = ref(keys) -%}
    {%- if adds_to_built() -%}
    inner join {{ affected }} as affected
        on
            {%- for column in columns %}
            {{ relation }}.{{ column }} = affected.{{ column }}
            and
            {%- endfor %} {{ moment }} >= affected.from_at
    {%- endif -%}
{%- endmacro %}
