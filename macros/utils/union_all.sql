{#- The rows of several models, columns matched by name; a column that a model does not have is null there. -#}
{% macro union_all(models) -%}
    {{ return(adapter.dispatch('union_all')(models)) }}
{%- endmacro %}

{% macro default__union_all(models) -%}
    {%- for model in models %}
    select * from {{ ref(model) }}
    {% if not loop.last %}union all by name{% endif %}
    {%- endfor %}
{%- endmacro %}
