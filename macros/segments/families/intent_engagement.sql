{#-
  Four quadrants: intent, the signals of 7 days (products viewed, searches, additions to a cart, checkouts), high from
  `intent_signals_high`; engagement, the engagement score, high from `engagement_high_score`.
-#}
{% macro segment_family__intent_engagement() -%}
    case
        when features.first_seen_at is null then null
        when features.intent_signals_7d >= {{ var('intent_signals_high') }}
            then case when features.engagement_score >= {{ var('engagement_high_score') }} then 'engaged_seeker' else 'new_seeker' end
        when features.engagement_score >= {{ var('engagement_high_score') }} then 'engaged_browser'
        else 'passive'
    end
{%- endmacro %}


{% macro segment_catalog__intent_engagement() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'engaged_seeker': 'At least ' ~ var('intent_signals_high') ~ ' intent signals in 7 days and an engagement score of at least ' ~ var('engagement_high_score'),
            'new_seeker': 'At least ' ~ var('intent_signals_high') ~ ' intent signals in 7 days, engagement score below ' ~ var('engagement_high_score'),
            'engaged_browser': 'Fewer than ' ~ var('intent_signals_high') ~ ' intent signals in 7 days, engagement score of at least ' ~ var('engagement_high_score'),
            'passive': 'Fewer than ' ~ var('intent_signals_high') ~ ' intent signals in 7 days and an engagement score below ' ~ var('engagement_high_score'),
        },
    }) }}
{%- endmacro %}
