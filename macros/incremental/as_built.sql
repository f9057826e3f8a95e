{#-
  A model's table as the last night left it; none before the first night and on a full refresh. Not a ref: the model is built
  after the one that asks.
-#}
{% macro as_built(name) -%}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(adapter.get_relation(this.database, this.schema, name)) }}
{%- endmacro %}
