{#- A numeric var as a SQL double; a value that is no number or outside lowest..highest stops the run by name. -#}
{% macro attribution_setting(name, lowest, highest) -%}
    {%- set value = var(name) -%}
    {%- if value is not number or value is boolean or value < lowest or value > highest -%}
        {%- do exceptions.raise_compiler_error(
            "var " ~ name ~ " is " ~ value ~ "; it must be a number from " ~ lowest ~ " to " ~ highest
        ) -%}
    {%- endif -%}
    {%- set text = value | string -%}
    {{ return(text if 'e' in text else text ~ 'e0') }}
{%- endmacro %}
