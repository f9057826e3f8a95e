{#- The engagement score in three steps; before the person was first seen, it cannot tell. -#}
{% macro segment_family__engagement_level() -%}
    case
        when features.first_seen_at is null then null
        when features.engagement_score >= {{ var('engagement_high_score') }} then 'high'
        when features.engagement_score >= {{ var('engagement_medium_score') }} then 'medium'
        when features.engagement_score > 0 then 'low'
        else 'none'
    end
{%- endmacro %}


{% macro segment_catalog__engagement_level() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'high': 'Engagement score of at least ' ~ var('engagement_high_score'),
            'medium': 'Engagement score of at least ' ~ var('engagement_medium_score'),
            'low': 'Engagement score above 0',
            'none': 'Engagement score 0: no visit in 30 days and no order in 90',
        },
    }) }}
{%- endmacro %}
