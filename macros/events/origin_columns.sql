{#- What an event says of where it came from: the columns that channel rules look at. -#}
{% macro origin_columns() -%}
    {{ return([
        'source_channel', 'origin_source', 'origin_medium', 'origin_campaign', 'referrer_host', 'click_id_kind'
    ]) }}
{%- endmacro %}
