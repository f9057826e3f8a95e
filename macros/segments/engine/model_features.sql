{#-
  The attributes that models learn from: name and expression over a feature row, a double, null where it is not known. Counts,
  money and times, of which few are large, as ln(1 + x).
-#}
{% macro model_features(features) -%}
    {%- set expressions = {} -%}
    {%- for name in [
        'days_since_first_seen', 'days_since_last_order', 'days_between_last_orders', 'orders_count', 'orders_90d', 'orders_365d',
        'revenue', 'revenue_365d', 'average_order_value', 'sessions_count', 'sessions_30d', 'engagement_seconds_30d',
        'offers_redeemed_count', 'intent_signals_7d', 'minutes_since_last_visit', 'minutes_since_open_cart',
        'days_since_last_active', 'days_since_joined', 'income_from',
    ] -%}
        {%- do expressions.update({name: 'ln(1e0 + case when ' ~ features ~ '.' ~ name ~ ' < 0 then 0e0 else cast(' ~ features ~ '.' ~ name ~ ' as double) end)'}) -%}
    {%- endfor -%}
    {%- for name in ['age_from', 'discount_share'] -%}
        {%- do expressions.update({name: 'cast(' ~ features ~ '.' ~ name ~ ' as double)'}) -%}
    {%- endfor -%}
    {%- for name, part, whole in [
        ('coupon_share', 'orders_with_coupon_count', 'orders_count'), ('mobile_share', 'visits_mobile_count', 'sessions_count')
    ] -%}
        {%- do expressions.update({
            name: 'cast(' ~ features ~ '.' ~ part ~ ' as double) / nullif(cast(' ~ features ~ '.' ~ whole ~ ' as double), 0e0)'
        }) -%}
    {%- endfor -%}
    {{ return(expressions) }}
{%- endmacro %}
