{% macro attribution_model__unique_linear() -%}
    1e0 / nullif(element_count, 0)
{%- endmacro %}
