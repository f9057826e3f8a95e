{#- The host of a URL, lower case; null where there is none. -#}
{% macro url_host(url) -%}
    nullif(lower(split_part(split_part({{ url }}, '://', 2), '/', 1)), '')
{%- endmacro %}
