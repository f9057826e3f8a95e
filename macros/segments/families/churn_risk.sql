{#- How likely no order in the next 56 days is, by the last score at or before the moment. -#}
{% macro segment_family__churn_risk() -%}
    churn_risk.segment
{%- endmacro %}


{% macro segment_catalog__churn_risk() -%}
    {{ return({
        'kind': 'predictive',
        'segments': {
            'high': 'Among the fifth of customers for whom no order in the next 56 days was most likely in training',
            'medium': 'Above the median of training, below the highest fifth',
            'low': 'Below the median of training',
        },
    }) }}
{%- endmacro %}


{% macro segment_scores__churn_risk() -%}
    {{ return(source('ml', 'segment_scores')) }}
{%- endmacro %}
