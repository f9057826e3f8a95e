{#-
  The names of all attribution models, sorted: every macro called attribution_model__<name> is one.
  This is the registry; there is no list of models anywhere else.
-#}
{% macro attribution_models() -%}
    {%- set prefix = 'attribution_model__' -%}
    {%- set models = [] -%}
    {%- for macro_name in context.keys() if macro_name.startswith(prefix) -%}
        {%- do models.append(macro_name[prefix | length:]) -%}
    {%- endfor -%}
    {{ return(models | sort) }}
{%- endmacro %}
