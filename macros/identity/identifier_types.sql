{#- The kinds of identifier, strongest first: the one place that lists them. -#}
{% macro identifier_types() -%}
    {{ return(['user_id', 'email', 'phone', 'contact_id', 'anonymous_id']) }}
{%- endmacro %}
