{#-
  How engaged a person is now, a whole number from 0 to 100: 50 points for sessions in 30 days, 30 for seconds of engagement
  in 30 days, 20 for orders in 90 days, each in proportion to what gives full points.
-#}
{% macro engagement_score(features) -%}
    {%- set parts = [
        {'points': 50, 'feature': 'sessions_30d', 'full': var('engagement_full_sessions')},
        {'points': 30, 'feature': 'engagement_seconds_30d', 'full': var('engagement_full_seconds')},
        {'points': 20, 'feature': 'orders_90d', 'full': var('engagement_full_orders')},
    ] -%}
    cast(floor(
        {%- for part in parts %}
        {{ part.points }} * least(cast({{ features }}.{{ part.feature }} as double) / {{ part.full }}, 1e0)
        {{- ' +' if not loop.last }}
        {%- endfor %}
        + 0.5e0
    ) as bigint)
{%- endmacro %}
