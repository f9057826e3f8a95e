{#- What an event says of where it came from: the columns that channel rules look at. -#}
{% macro origin_columns() -%}
    {{ return(['source_channel', 'utm_source', 'utm_medium', 'utm_campaign', 'referrer_host', 'click_id_kind']) }}
{%- endmacro %}
