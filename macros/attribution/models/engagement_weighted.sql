{% macro attribution_model__engagement_weighted() -%}
    base_weight * engagement_weight
{%- endmacro %}
