{#- The last value that is not null among the rows of a window frame, written `last_known(value) over (...)`. -#}
{% macro last_known(value) -%}
    {{ return(adapter.dispatch('last_known')(value)) }}
{%- endmacro %}

{% macro default__last_known(value) -%}
    last_value({{ value }} ignore nulls)
{%- endmacro %}

{% macro spark__last_known(value) -%}
    last_value({{ value }}, true)
{%- endmacro %}


{#- The timestamp (UTC) of microseconds since 1970-01-01. -#}
{% macro moment_of(microseconds_since_1970) -%}
    {{ return(adapter.dispatch('moment_of')(microseconds_since_1970)) }}
{%- endmacro %}

{% macro default__moment_of(microseconds_since_1970) -%}
    make_timestamp({{ microseconds_since_1970 }})
{%- endmacro %}

{% macro spark__moment_of(microseconds_since_1970) -%}
    timestamp_micros({{ microseconds_since_1970 }})
{%- endmacro %}


{#- Whole days between two times in microseconds, rounded down: a day counts when it is over. -#}
{% macro whole_days(later, earlier) -%}
    cast(floor(({{ later }} - {{ earlier }}) / 86400000000e0) as bigint)
{%- endmacro %}


{#-
  The lower end of a band of whole numbers that a person wrote: '35-44' 35, '65+' 65, '50-74K' 50000, 'Under 15K' 0.
  Null where there is no number.
-#}
{% macro lower_bound(band) -%}
    case
        when {{ matches('lower(' ~ band ~ ')', "'^ *(under|below|less|up to|<)'") }} then 0
        else try_cast(
            nullif(
                {{ without("regexp_extract(" ~ band ~ ", '([0-9][0-9,]*)', 1)", "','") }}, ''
            ) as bigint
        ) * case when {{ matches('upper(' ~ band ~ ')', "'[0-9] *K'") }} then 1000 else 1 end
    end
{%- endmacro %}


{#- The columns of a feature row, in order: the same as of a touch, as of any other moment, and now. -#}
{% macro feature_columns() -%}
    {{ return([
        'country', 'region', 'city', 'device_type', 'age_band', 'gender', 'income_band', 'household_size',
        'age_from', 'income_from',
        'days_since_first_seen', 'days_since_last_order', 'days_between_last_orders',
        'orders_count', 'orders_90d', 'orders_365d',
        'revenue', 'revenue_365d', 'average_order_value', 'discount_share',
        'sessions_count', 'sessions_30d', 'engagement_seconds_30d', 'offers_redeemed_count',
        'first_seen_at', 'last_order_at', 'previous_order_at',
    ]) }}
{%- endmacro %}
