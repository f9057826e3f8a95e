{#- The channel of most visits that had begun; of equal counts, the one that was reached last. -#}
{% macro segment_family__channel_preference() -%}
    features.top_channel
{%- endmacro %}


{% macro segment_catalog__channel_preference() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            '*': 'Channel of most visits',
        },
    }) }}
{%- endmacro %}
