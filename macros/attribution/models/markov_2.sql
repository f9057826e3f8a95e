{% macro attribution_model__markov_2() -%}
    greatest(learned_markov_2, 0e0) / learned_element_count
{%- endmacro %}
