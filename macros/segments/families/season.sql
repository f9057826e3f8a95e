{#- Season of the moment, of the northern hemisphere, on the clocks of `reporting_timezone`: spring is March to May. It tells of the moment, not of the person. -#}
{% macro segment_family__season() -%}
    case
        when features.local_month in (12, 1, 2) then 'winter'
        when features.local_month <= 5 then 'spring'
        when features.local_month <= 8 then 'summer'
        else 'autumn'
    end
{%- endmacro %}


{% macro segment_catalog__season() -%}
    {{ return({
        'kind': 'rule',
        'is_of_moment': true,
        'segments': {
            'spring': 'March to May',
            'summer': 'June to August',
            'autumn': 'September to November',
            'winter': 'December to February',
        },
    }) }}
{%- endmacro %}
