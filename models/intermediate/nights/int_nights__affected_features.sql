-- One row per person, old or new, whose features may differ from those of the last night, with the
-- moment from which they may: of whom something changed, or for whom the clock alone does.
{%- set sessions = as_built('int_sessions__sessionized') %}
{%- set orders = as_built('int_conversions__orders') %}
{%- set label_days = segment_boundaries() | map(attribute='days') | unique | list %}
-- depends_on: {{ ref('stg_landing__refunds') }}
-- depends_on: {{ ref('int_identity__identifiers') }}
-- depends_on: {{ ref('int_events__deduplicated') }}
with affected_users as (
    select * from {{ ref('int_nights__affected_users') }}
),

{%- if none not in [sessions, orders] %}

clock as (
    select
        built_clock.as_of as from_at,
        {{ as_of() }} as to_at
    from {{ source('built', 'built_clock') }} as built_clock
),

-- A month began: everybody is looked at.
passed_months as (
    select
        identifiers.user_key,
        clock.from_at
    from {{ ref('int_identity__identifiers') }} as identifiers
    cross join clock
    where {{ month_number('clock.to_at') }} > {{ month_number('clock.from_at') }}
    or clock.from_at = {{ month_begin(month_number('clock.from_at')) }}
    group by identifiers.user_key, clock.from_at
),

-- What falls out of a sliding window, or passes a day at which a label changes.
passed_orders as (
    select
        orders.user_key,
        clock.from_at
    from {{ orders }} as orders
    cross join clock
    where
        false
        {%- for days in ([90, 365] + label_days) | unique %}
        or orders.ordered_at between clock.from_at - {{ days_interval(days) }}
        and clock.to_at - {{ days_interval(days) }}
        {%- endfor %}
),

passed_refunds as (
    select
        orders.user_key,
        clock.from_at
    from {{ ref('stg_landing__refunds') }} as refunds
    inner join {{ orders }} as orders
        on refunds.order_id = orders.order_id
    cross join clock
    where
        refunds.refunded_at between clock.from_at - {{ days_interval(365) }}
        and clock.to_at - {{ days_interval(365) }}
),

passed_sessions as (
    select
        sessions.user_key,
        clock.from_at
    from {{ sessions }} as sessions
    cross join clock
    where
        false
        {%- for moment in ['started_at', 'ended_at'] %}
        or sessions.{{ moment }} between clock.from_at - {{ days_interval(30) }}
        and clock.to_at - {{ days_interval(30) }}
        {%- endfor %}
),

passed_signals as (
    select
        events.user_key,
        clock.from_at
    from {{ ref('int_events__deduplicated') }} as events
    cross join clock
    where
        events.event_name in ('{{ intent_events() | join("', '") }}')
        and events.occurred_at between clock.from_at - {{ days_interval(7) }}
        and clock.to_at - {{ days_interval(7) }}
),

first_sightings as (
    select
        user_key,
        min(first_seen_at) as first_seen_at
    from {{ ref('int_identity__identifiers') }}
    group by user_key
),

passed_first_sightings as (
    select
        first_sightings.user_key,
        clock.from_at
    from first_sightings
    cross join clock
    where
        false
        {%- for days in label_days %}
        or first_sightings.first_seen_at between clock.from_at - {{ days_interval(days) }}
        and clock.to_at - {{ days_interval(days) }}
        {%- endfor %}
),
{%- endif %}

affected as (
    select
        user_key,
        from_at
    from affected_users
    {%- if none not in [sessions, orders] %}
    {%- for part in ['months', 'orders', 'refunds', 'sessions', 'signals', 'first_sightings'] %}
    union all
    select
        user_key,
        from_at
    from passed_{{ part }}
    {%- endfor %}
    {%- endif %}
),

-- Now is looked at even where only the future changed.
final as (
    select
        user_key,
        least(min(from_at), {{ as_of() }}) as from_at
    from affected
    where user_key is not null
    group by user_key
)

select * from final
