{#-
  Incremental strategy `affected`: every row of an affected key is deleted, and what the model gives for these keys is
  inserted, in one transaction. The keys drive the delete, not the new rows, so that a person who merged into another or
  has nothing left goes too. Rows without a key are always taken anew.

  A model says incremental_strategy='affected' and unique_key, filters what it reads with `only_affected`, and where its key
  is not a person names the model that lists the keys in meta.affected.
-#}
{% macro get_incremental_affected_sql(arg_dict) -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set keys = ref(config.get('meta', {}).get('affected', 'int_nights__affected_users')) -%}
    delete from {{ arg_dict['target_relation'] }}
    where
        {{ key }} is null
        or {{ key }} in (select affected.{{ key }} from {{ keys }} as affected);

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
