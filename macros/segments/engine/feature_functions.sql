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


{#- Whole minutes between two times in microseconds, rounded down. -#}
{% macro whole_minutes(later, earlier) -%}
    cast(floor(({{ later }} - {{ earlier }}) / 60000000e0) as bigint)
{%- endmacro %}


{#-
  A text that sorts by a running count, then by time: the largest of all rows before names the leader by then, since a count
  only grows; of equal counts, the one that was reached last. Null without a name.
-#}
{% macro leader_key(count_so_far, at_us, name) -%}
    lpad(cast({{ count_so_far }} as varchar), 9, '0') || lpad(cast({{ at_us }} as varchar), 20, '0') || {{ name }}
{%- endmacro %}

{#- The name in such a text. -#}
{% macro leader_of(key) -%}
    substr({{ key }}, 30)
{%- endmacro %}


{#- A time (UTC) on the clocks of var reporting_timezone. -#}
{% macro local_time(moment) -%}
    {{ return(adapter.dispatch('local_time')(moment)) }}
{%- endmacro %}

{% macro default__local_time(moment) -%}
    {%- if var('reporting_timezone') == 'UTC' -%}
    {{ moment }}
    {%- else -%}
    timezone('{{ var('reporting_timezone') | replace("'", "''") }}', timezone('UTC', {{ moment }}))
    {%- endif -%}
{%- endmacro %}

{% macro spark__local_time(moment) -%}
    from_utc_timestamp({{ moment }}, '{{ var('reporting_timezone') | replace("'", "''") }}')
{%- endmacro %}


{#- The number of a moment's month, counted from year 0; and the moment (UTC) at which a month begins. -#}
{% macro month_number(moment) -%}
    cast(extract(year from {{ moment }}) * 12 + extract(month from {{ moment }}) - 1 as integer)
{%- endmacro %}

{% macro month_begin(month_number) -%}
    make_timestamp(
        cast(floor(({{ month_number }}) / 12e0) as integer), cast(({{ month_number }}) % 12 + 1 as integer), 1, 0, 0, 0e0
    )
{%- endmacro %}


{#- Names of the events that tell of an intent to buy. -#}
{% macro intent_events() -%}
    {{ return(['product_viewed', 'search_performed', 'added_to_cart', 'checkout_started']) }}
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


{#- The kind (text, number, time) of each column of a feature row, in order: as of a touch, as of any other moment, and now. -#}
{% macro feature_kinds() -%}
    {%- set kinds = {} -%}
    {%- for kind, columns in {
        'text': [
            'country', 'region', 'city', 'device_type', 'age_band', 'gender', 'income_band', 'household_size',
            'top_category', 'top_channel', 'interest', 'value_theme', 'urbanity',
        ],
        'number': [
            'age_from', 'income_from',
            'days_since_first_seen', 'days_since_last_order', 'days_between_last_orders',
            'orders_count', 'orders_90d', 'orders_365d',
            'revenue', 'revenue_365d', 'average_order_value', 'discount_share',
            'sessions_count', 'sessions_30d', 'engagement_seconds_30d', 'offers_redeemed_count',
            'orders_with_coupon_count', 'intent_signals_7d', 'minutes_since_open_signal', 'minutes_since_last_visit',
            'minutes_since_open_cart', 'minutes_since_open_checkout', 'days_since_last_active', 'days_since_joined',
            'visits_desktop_count', 'visits_mobile_count', 'visits_tablet_count', 'visits_other_count',
            'local_hour', 'local_weekday', 'local_month', 'engagement_score',
        ],
        'time': ['first_seen_at', 'last_order_at', 'previous_order_at'],
    }.items() -%}
        {%- for column in columns -%}
            {%- do kinds.update({column: kind}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(kinds) }}
{%- endmacro %}


{#- The columns of a feature row, in order. -#}
{% macro feature_columns() -%}
    {{ return(feature_kinds().keys() | list) }}
{%- endmacro %}
