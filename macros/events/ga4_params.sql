{#- A parameter of an event of the GA4 export; where one is there twice, the first. -#}
{% macro ga4_param(name) -%}
    param_values[list_position(param_names, '{{ name }}')]
{%- endmacro %}

{#- A text of the GA4 export, null where it only says that there is none. -#}
{% macro ga4_said(value) -%}
    case
        when {{ value }} not in ('(not set)', '(none)', '(direct)', '(data deleted)', '')
            then {{ value }}
    end
{%- endmacro %}

{#- Parameters of an event of the GA4 export, [{key, value: {string_value, int_value, ...}}], as a list of structs of texts. -#}
{% macro ga4_params(document) -%}
    {{ return(adapter.dispatch('ga4_params')(document)) }}
{%- endmacro %}

{% macro default__ga4_params(document) -%}
    json_transform(
        {{ document }},
        '[{"key": "VARCHAR", "value": {"string_value": "VARCHAR", "int_value": "VARCHAR", "double_value": "VARCHAR", "float_value": "VARCHAR"}}]'
    )
{%- endmacro %}
