{#- Decimals that a credit keeps: none means all of them. Unit tests override it to compare with numbers worked by hand. -#}
{% macro attribution_credit_decimals() -%}
    {{ return(none) }}
{%- endmacro %}
