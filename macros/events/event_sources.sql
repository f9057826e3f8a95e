{#- The models that hold landed events, one per source system, by data set: the one place that lists them. -#}
{% macro event_sources() -%}
    {{ return({
        'events': 'stg_landing__events',
        'segment': 'stg_segment__events',
        'ga4': 'stg_ga4__events',
    }) }}
{%- endmacro %}
