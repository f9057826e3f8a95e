{#- How long ago a person was last on the site: a visit that began, or a signal of intent. -#}
{% macro segment_family__browsing_active() -%}
    case
        when features.minutes_since_last_visit < {{ var('browsing_active_minutes') }} then 'now'
        when features.minutes_since_last_visit < 1440 then 'today'
        when features.minutes_since_last_visit < 10080 then 'this_week'
        when features.minutes_since_last_visit < 43200 then 'this_month'
        when features.minutes_since_last_visit is not null then 'away'
    end
{%- endmacro %}


{% macro segment_catalog__browsing_active() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'now': 'On the site in the last ' ~ var('browsing_active_minutes') ~ ' minutes',
            'today': 'Last on the site less than a day ago',
            'this_week': 'Last on the site less than 7 days ago',
            'this_month': 'Last on the site less than 30 days ago',
            'away': 'Last on the site at least 30 days ago',
        },
    }) }}
{%- endmacro %}
