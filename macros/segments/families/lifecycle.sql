{#-
  Where a person is in the life of a customer.

  Never ordered: new while first seen less than `new_for_days` days ago (or never before), then prospect.
  Ordered: lapsed when the last order is at least `lapsed_after_days` days ago, lapsing when at least `lapsing_after_days`;
  else reactivated when the order before the last one was at least `lapsed_after_days` days before it;
  else new while first seen less than `new_for_days` days ago; else active.
-#}
{% macro segment_family__lifecycle() -%}
    case
        when features.orders_count > 0 and features.days_since_last_order >= {{ var('lapsed_after_days') }}
            then 'lapsed'
        when features.orders_count > 0 and features.days_since_last_order >= {{ var('lapsing_after_days') }}
            then 'lapsing'
        when features.days_between_last_orders >= {{ var('lapsed_after_days') }}
            then 'reactivated'
        when coalesce(features.days_since_first_seen, 0) < {{ var('new_for_days') }}
            then 'new'
        when features.orders_count > 0
            then 'active'
        else 'prospect'
    end
{%- endmacro %}


{% macro segment_catalog__lifecycle() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'new': 'First seen less than ' ~ var('new_for_days') ~ ' days ago',
            'prospect': 'Seen for at least ' ~ var('new_for_days') ~ ' days and has never ordered',
            'active': 'Last order less than ' ~ var('lapsing_after_days') ~ ' days ago',
            'lapsing': 'Last order at least ' ~ var('lapsing_after_days') ~ ' and less than ' ~ var('lapsed_after_days') ~ ' days ago',
            'lapsed': 'Last order at least ' ~ var('lapsed_after_days') ~ ' days ago',
            'reactivated': 'Last order less than ' ~ var('lapsing_after_days') ~ ' days ago, after a pause of at least ' ~ var('lapsed_after_days') ~ ' days',
        },
    }) }}
{%- endmacro %}


{% macro segment_boundaries__lifecycle() -%}
    {{ return([
        {'since': 'last_order_at', 'days': var('lapsing_after_days')},
        {'since': 'last_order_at', 'days': var('lapsed_after_days')},
        {'since': 'first_seen_at', 'days': var('new_for_days')},
    ]) }}
{%- endmacro %}
