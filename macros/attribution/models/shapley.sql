{% macro attribution_model__shapley() -%}
    greatest(learned_shapley, 0e0) / shapley_element_count
{%- endmacro %}
