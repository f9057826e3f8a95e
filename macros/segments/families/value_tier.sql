{#-
  Revenue of 365 days by the fitted quintiles of the family rfm that were valid at the moment: the top fifth is high, the two
  fifths below it medium, the rest low.
-#}
{% macro segment_family__value_tier() -%}
    case
        when value_tier.version is null then null
        when features.orders_365d = 0 then 'no_order'
        when features.revenue_365d > value_tier.m_80 then 'high'
        when features.revenue_365d > value_tier.m_40 then 'medium'
        else 'low'
    end
{%- endmacro %}


{% macro segment_versions__value_tier() -%}
    {{ return(source('ml', 'rfm_thresholds')) }}
{%- endmacro %}


{% macro segment_catalog__value_tier() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'high': 'Revenue of 365 days above that of four fifths of the customers',
            'medium': 'Revenue of 365 days above that of two fifths of the customers',
            'low': 'Revenue of 365 days of the lower two fifths',
            'no_order': 'Has not ordered in the 365 days before the moment',
        },
    }) }}
{%- endmacro %}
