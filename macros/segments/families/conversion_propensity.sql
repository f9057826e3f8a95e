{#- How likely a conversion in the next 28 days is, by the last score at or before the moment. -#}
{% macro segment_family__conversion_propensity() -%}
    conversion_propensity.segment
{%- endmacro %}


{% macro segment_catalog__conversion_propensity() -%}
    {{ return({
        'kind': 'predictive',
        'segments': {
            'high': 'Among the fifth of people for whom a conversion in the next 28 days was most likely in training',
            'medium': 'Above the median of training, below the highest fifth',
            'low': 'Below the median of training',
        },
    }) }}
{%- endmacro %}


{% macro segment_scores__conversion_propensity() -%}
    {{ return(source('ml', 'segment_scores')) }}
{%- endmacro %}
