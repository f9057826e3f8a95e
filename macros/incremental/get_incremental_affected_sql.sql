{#-
  Incremental strategy `affected`: every row of an affected key is deleted, and what the model gives for these keys is
  inserted, in one transaction. The keys drive the delete, not the new rows, so that a person who merged into another or
  has nothing left goes too. Rows without a key are always taken anew.

  A model says incremental_strategy='affected' and unique_key, and in meta:

  affected: the model that lists the keys (int_nights__affected_users unless said);
  affected_column: their column there (named as the key unless said);
  moment: the column that places a row in its person's time. With it, rows before the key's `from_at` stay as they are, and
  the model reads with `join_affected`; without it, whole keys are taken anew and it reads with `only_affected`.
-#}
{% macro get_incremental_affected_sql(arg_dict) -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set keys = ref(meta.get('affected', 'int_nights__affected_users')) -%}
    {%- set moment = meta.get('moment') -%}
    {%- if moment %}
    delete from {{ target }} as built
    using {{ keys }} as affected
    where
        {%- for column in ([key] if key is string else key) %}
        built.{{ column }} = affected.{{ column }}
        and
        {%- endfor %} coalesce(built.{{ moment }} >= affected.from_at, true);
    {%- else %}
    {%- set column = meta.get('affected_column', key) %}
    delete from {{ target }}
    where
        {{ key }} is null
        or {{ key }} in (select affected.{{ column }} from {{ keys }} as affected);
    {%- endif %}

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
