{% macro attribution_model__markov_3() -%}
    greatest(learned_markov_3, 0e0) / learned_element_count
{%- endmacro %}
