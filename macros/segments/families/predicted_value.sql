{#- How likely revenue of the next 56 days in the top fifth of those who buy is, by the last score at or before the moment. -#}
{% macro segment_family__predicted_value() -%}
    predicted_value.segment
{%- endmacro %}


{% macro segment_catalog__predicted_value() -%}
    {{ return({
        'kind': 'predictive',
        'segments': {
            'high': 'Among the fifth of people for whom revenue of the next 56 days in the top fifth of those who buy was most likely in training',
            'medium': 'Above the median of training, below the highest fifth',
            'low': 'Below the median of training',
        },
    }) }}
{%- endmacro %}


{% macro segment_scores__predicted_value() -%}
    {{ return(source('ml', 'segment_scores')) }}
{%- endmacro %}
