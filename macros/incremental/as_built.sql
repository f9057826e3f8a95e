{#-
  A model's table as the last night left it; none before the first night and on a full refresh. Not a ref: the model is built
  after the one that asks.

  Args:
    name: of the model.
    schema: its layer; the asking model's own unless said.
-#}
{% macro as_built(name, schema=none) -%}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(adapter.get_relation(this.database, schema or this.schema, name)) }}
{%- endmacro %}
