{#- md5 over null-safe, separator-joined text: the same key on every engine. Args: list of SQL expressions. -#}
{% macro surrogate_key(expressions) -%}
    md5(
        {%- for expression in expressions %}
        coalesce(replace(cast({{ expression }} as varchar), '|', '||'), '_null_')
        {%- if not loop.last %} || '|.|' || {% endif -%}
        {%- endfor %}
    )
{%- endmacro %}
