{#-
  How near a person seems to an order: ready with an open checkout or cart of the last day, or an open cart and high intent; warming
  with high intent or an open cart of the last week; else not ready.
-#}
{% macro segment_family__ready_to_buy() -%}
    {%- set is_intent_high = 'features.intent_signals_7d >= ' ~ var('intent_signals_high') -%}
    case
        when features.minutes_since_open_checkout < 1440 or features.minutes_since_open_cart < 1440 then 'ready'
        when features.minutes_since_open_cart < 10080 and {{ is_intent_high }} then 'ready'
        when features.minutes_since_open_cart < 10080 or {{ is_intent_high }} then 'warming'
        when features.first_seen_at is not null then 'not_ready'
    end
{%- endmacro %}


{% macro segment_catalog__ready_to_buy() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'ready': 'An open cart or checkout of the last day, or an open cart of the last 7 days and at least ' ~ var('intent_signals_high') ~ ' intent signals',
            'warming': 'An open cart of the last 7 days, or at least ' ~ var('intent_signals_high') ~ ' intent signals in 7 days',
            'not_ready': 'Neither',
        },
    }) }}
{%- endmacro %}
