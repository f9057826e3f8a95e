{#-
  How far a person is on the way to the next order: the furthest step since the last order and within `cart_forgotten_after_days`
  days; without one, customer who has ordered, else visitor who was ever on the site, else outside.
-#}
{% macro segment_family__funnel_stage() -%}
    {%- set window_minutes = var('cart_forgotten_after_days') * 1440 -%}
    case
        when features.minutes_since_open_checkout < {{ window_minutes }} then 'checkout'
        when features.minutes_since_open_cart < {{ window_minutes }} then 'cart'
        when features.minutes_since_open_signal < 10080 then 'considering'
        when features.orders_count > 0 then 'customer'
        when features.minutes_since_last_visit is not null then 'visitor'
        else 'outside'
    end
{%- endmacro %}


{% macro segment_catalog__funnel_stage() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'checkout': 'Started a checkout in the last ' ~ var('cart_forgotten_after_days') ~ ' days and has not ordered since',
            'cart': 'Put something into a cart in the last ' ~ var('cart_forgotten_after_days') ~ ' days and has not ordered since',
            'considering': 'Looked at products or searched in the last 7 days and has not ordered since',
            'customer': 'Has ordered, and nothing of the above',
            'visitor': 'Has visited, and nothing of the above',
            'outside': 'Was never seen on a visit',
        },
    }) }}
{%- endmacro %}
