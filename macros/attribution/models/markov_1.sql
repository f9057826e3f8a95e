{% macro attribution_model__markov_1() -%}
    greatest(learned_markov_1, 0e0) / learned_element_count
{%- endmacro %}
