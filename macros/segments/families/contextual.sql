{#-
  Daypart of the moment with weekday or weekend, on the clocks of `reporting_timezone`: night 0-5, morning 6-11, afternoon 12-17,
  evening 18-23 hours. It tells of the moment, not of the person.
-#}
{% macro segment_family__contextual() -%}
    case when features.local_weekday >= 6 then 'weekend' else 'weekday' end
    || case
        when features.local_hour < 6 then ' night'
        when features.local_hour < 12 then ' morning'
        when features.local_hour < 18 then ' afternoon'
        else ' evening'
    end
{%- endmacro %}


{% macro segment_catalog__contextual() -%}
    {{ return({
        'kind': 'rule',
        'is_of_moment': true,
        'segments': {
            'weekday night': 'Monday to Friday, 0 to 5 h',
            'weekday morning': 'Monday to Friday, 6 to 11 h',
            'weekday afternoon': 'Monday to Friday, 12 to 17 h',
            'weekday evening': 'Monday to Friday, 18 to 23 h',
            'weekend night': 'Saturday or Sunday, 0 to 5 h',
            'weekend morning': 'Saturday or Sunday, 6 to 11 h',
            'weekend afternoon': 'Saturday or Sunday, 12 to 17 h',
            'weekend evening': 'Saturday or Sunday, 18 to 23 h',
        },
    }) }}
{%- endmacro %}
