{% macro attribution_model__custom_weighted() -%}
    custom_weight
{%- endmacro %}
