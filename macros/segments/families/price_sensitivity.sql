{#-
  How much discounts move a person: coupon_driven when at least half of the orders were with a coupon; else by the share of discount
  in what was bought; a coupon or a redeemed offer is an occasional discount at least.
-#}
{% macro segment_family__price_sensitivity() -%}
    case
        when features.orders_count = 0 then 'no_order'
        when features.orders_with_coupon_count * 2 >= features.orders_count then 'coupon_driven'
        when features.discount_share >= {{ var('discount_seeker_share') }} then 'discount_seeker'
        when
            features.discount_share >= {{ var('discount_occasional_share') }}
            or features.orders_with_coupon_count > 0
            or features.offers_redeemed_count > 0
            then 'occasional_discount'
        else 'full_price'
    end
{%- endmacro %}


{% macro segment_catalog__price_sensitivity() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'coupon_driven': 'At least half of the orders with a coupon',
            'discount_seeker': 'Discounts are at least ' ~ var('discount_seeker_share') ~ ' of the price of what was bought',
            'occasional_discount': 'Discounts of at least ' ~ var('discount_occasional_share') ~ ', a coupon or a redeemed offer',
            'full_price': 'Hardly any discount',
            'no_order': 'Has not ordered before the moment',
        },
    }) }}
{%- endmacro %}
