{#-
  Whether a person signed up, or is in the CRM since before the moment, and was on the site or ordered in the last
  `membership_lapsed_after_days` days; one who has just joined is active.
-#}
{% macro segment_family__membership() -%}
    case
        when features.days_since_joined is null then 'not_a_member'
        when least(features.days_since_last_active, features.days_since_joined) < {{ var('membership_lapsed_after_days') }} then 'active_member'
        else 'lapsed_member'
    end
{%- endmacro %}


{% macro segment_catalog__membership() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'active_member': 'Joined, or was on the site or ordered, less than ' ~ var('membership_lapsed_after_days') ~ ' days ago',
            'lapsed_member': 'Joined and was not seen for ' ~ var('membership_lapsed_after_days') ~ ' days',
            'not_a_member': 'Has not signed up and is not in the CRM',
        },
    }) }}
{%- endmacro %}
