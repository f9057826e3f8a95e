{#-
  Whether a person left something in a cart: the last addition is not followed by an order. Open for
  `cart_abandoned_after_minutes`, then abandoned (at the checkout, where one was started after the last order) until
  `cart_forgotten_after_days` days are over.
-#}
{% macro segment_family__cart_abandoner() -%}
    case
        when features.minutes_since_open_cart is null then 'no_cart'
        when features.minutes_since_open_cart >= {{ var('cart_forgotten_after_days') * 1440 }} then 'no_cart'
        when least(features.minutes_since_open_cart, features.minutes_since_open_checkout) < {{ var('cart_abandoned_after_minutes') }} then 'open_cart'
        when features.minutes_since_open_checkout < {{ var('cart_forgotten_after_days') * 1440 }} then 'abandoned_checkout'
        else 'abandoned_cart'
    end
{%- endmacro %}


{% macro segment_catalog__cart_abandoner() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'open_cart': 'Put something into a cart, or went to the checkout, less than ' ~ var('cart_abandoned_after_minutes') ~ ' minutes ago',
            'abandoned_checkout': 'Started a checkout and did not order for at least ' ~ var('cart_abandoned_after_minutes') ~ ' minutes',
            'abandoned_cart': 'Put something into a cart and did not go on for at least ' ~ var('cart_abandoned_after_minutes') ~ ' minutes',
            'no_cart': 'Nothing in a cart in the last ' ~ var('cart_forgotten_after_days') ~ ' days that was not ordered since',
        },
    }) }}
{%- endmacro %}
