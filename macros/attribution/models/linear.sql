{% macro attribution_model__linear() -%}
    1
{%- endmacro %}
