{#- The SQL of a registered model's unnormalised weight, as a double; no weight is 0. -#}
{% macro attribution_weight(model) -%}
    {{ return('coalesce(cast(' ~ context['attribution_model__' ~ model]() ~ ' as double), 0e0)') }}
{%- endmacro %}
