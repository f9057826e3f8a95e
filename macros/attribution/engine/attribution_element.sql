{#- The column that tells elements apart: var attribution_element, one of four columns of a touchpoint. -#}
{% macro attribution_element() -%}
    {%- set allowed = ['channel', 'tactic', 'campaign_id', 'content_id'] -%}
    {%- set column_name = var('attribution_element') -%}
    {%- if column_name not in allowed -%}
        {%- do exceptions.raise_compiler_error(
            "var attribution_element is " ~ column_name ~ "; it must be one of " ~ allowed | join(', ')
        ) -%}
    {%- endif -%}
    {{ return(column_name) }}
{%- endmacro %}
