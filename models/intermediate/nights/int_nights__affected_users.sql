-- One row per person, old or new, whose rows may differ from those of the last night.
{%- set sessions = as_built('int_sessions__sessionized') %}
{%- set candidates = as_built('int_touchpoints__candidates') %}
{%- set orders = as_built('int_conversions__orders') %}
{%- set journeys = as_built('int_journeys__journeys') %}
{%- set is_first_build = none in [sessions, candidates, orders, journeys] %}
{%- set label_days = segment_boundaries() | map(attribute='days') | list %}
-- depends_on: {{ ref('stg_landing__campaigns') }}
with changed_files as (
    select * from {{ ref('int_nights__changed_files') }}
),

identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

-- Whose identifiers are in a file that is taken in.
changed_combinations as (
    select * from {{ ref('int_identity__observed') }}
    where file_seq in (select changed_files.file_seq from changed_files)
),

people_of_changed_files as (
    {{ identified('changed_combinations', identifier_types()) }}
),

-- Whoever had a device, at some time, that is in such a file.
people_at_shared_devices as (
    {%- for device_type in device_types() %}
    select stints.user_key
    from {{ ref('int_identity__stints') }} as stints
    inner join changed_combinations
        on
            stints.identifier_type = '{{ device_type }}'
            and stints.identifier_value = changed_combinations.{{ device_type }}
    {% if not loop.last %}union{% endif %}
    {%- endfor %}
),

-- Orders of which a state, a line, a refund, a product or the exchange rate of their day landed.
changed_order_ids as (
    {%- for model in ['stg_landing__orders', 'stg_landing__order_items', 'stg_landing__refunds'] %}
    select order_id
    from {{ ref(model) }}
    where file_seq in (select changed_files.file_seq from changed_files)
    union
    {%- endfor %}
    select order_items.order_id
    from {{ ref('stg_landing__order_items') }} as order_items
    inner join {{ ref('stg_landing__products') }} as products
        on order_items.product_id = products.product_id
    where products.file_seq in (select changed_files.file_seq from changed_files)
),

changed_orders as (
    select * from {{ ref('stg_landing__orders') }}
    where order_id in (select changed_order_ids.order_id from changed_order_ids)
),

people_of_changed_orders as (
    {{ identified('changed_orders', ['user_id', 'email', 'anonymous_id'], 'ordered_at') }}
),

changed_rates as (
    select distinct
        upper(trim(currency)) as currency,
        rate_date + cast(days_on as integer) as rate_date
    from (
        select
            currency,
            rate_date,
            {{ explode_range('0', '7') }} as days_on
        from {{ ref('stg_landing__exchange_rates') }}
        where file_seq in (select changed_files.file_seq from changed_files)
    ) as landed_rates
),

-- Every state of an offline conversion of which one landed, or whose rate did.
changed_offline as (
    select * from {{ ref('stg_landing__offline_conversions') }} as offline_conversions
    where
        conversion_id in (
            select landed.conversion_id
            from {{ ref('stg_landing__offline_conversions') }} as landed
            where landed.file_seq in (select changed_files.file_seq from changed_files)
        )
        or exists (
            select 1 from changed_rates
            where
                changed_rates.currency in (
                    upper(trim(offline_conversions.currency)), '{{ var("reporting_currency") }}'
                )
                and changed_rates.rate_date = cast(offline_conversions.converted_at as date)
        )
),

people_of_changed_offline as (
    {{ identified('changed_offline', ['user_id', 'email', 'phone']) }}
),

-- A type of conversion that occurs for the first time, or no more, concerns everybody.
changed_types as (
    select
        coalesce(conversion_types.conversion_type, built_types.conversion_type)
            as conversion_type
    from {{ ref('int_conversions__types') }} as conversion_types
    full outer join {{ source('built', 'built_types') }} as built_types
        on conversion_types.conversion_type = built_types.conversion_type
    where
        conversion_types.conversion_type is null
        or built_types.conversion_type is null
),

-- Old and new owners of conversions that an event tells of.
changed_event_conversions as (
    select
        events.user_key as new_user_key,
        built_events.user_key as old_user_key
    from {{ ref('int_conversions__events') }} as events
    full outer join {{ source('built', 'built_event_conversions') }} as built_events
        on
            events.conversion_type = built_events.conversion_type
            and events.conversion_source_key = built_events.conversion_source_key
    where
        events.conversion_source_key is null
        or built_events.conversion_source_key is null
        or events.user_key is distinct from built_events.user_key
        or events.value is distinct from built_events.value
        or events.currency is distinct from built_events.currency
        or events.converted_at is distinct from built_events.converted_at
),

people_of_changed_event_conversions as (
    select new_user_key as user_key from changed_event_conversions
    union
    select old_user_key as user_key from changed_event_conversions
),

-- Whoever had an event until now that was taken in anew.
people_of_changed_events as (
    select built_user_key as user_key from {{ ref('int_events__changed') }}
),

{%- if not is_first_build %}

clock as (
    select
        built_clock.as_of as from_at,
        {{ as_of() }} as to_at
    from {{ source('built', 'built_clock') }} as built_clock
),

changed_campaigns as (
    select campaign_id
    from {{ ref('stg_landing__campaigns') }}
    where file_seq in (select changed_files.file_seq from changed_files)
),

-- For whom the clock alone changes something: what falls out of a sliding window, or passes a day
-- at which a label changes.
passed_orders as (
    select orders.user_key
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
    select orders.user_key
    from {{ ref('stg_landing__refunds') }} as refunds
    inner join {{ orders }} as orders
        on refunds.order_id = orders.order_id
    cross join clock
    where
        refunds.refunded_at between clock.from_at - {{ days_interval(365) }}
        and clock.to_at - {{ days_interval(365) }}
),

passed_sessions as (
    select sessions.user_key
    from {{ sessions }} as sessions
    cross join clock
    where
        false
        {%- for moment in ['started_at', 'ended_at'] %}
        or sessions.{{ moment }} between clock.from_at - {{ days_interval(30) }}
        and clock.to_at - {{ days_interval(30) }}
        {%- endfor %}
),

passed_journeys as (
    select journeys.user_key
    from {{ journeys }} as journeys
    cross join clock
    where journeys.open_until between clock.from_at and clock.to_at
),

first_sightings as (
    select
        user_key,
        min(first_seen_at) as first_seen_at
    from identifiers
    group by user_key
),

passed_first_sightings as (
    select first_sightings.user_key
    from first_sightings
    cross join clock
    where
        false
        {%- for days in label_days | unique %}
        or first_sightings.first_seen_at between clock.from_at - {{ days_interval(days) }}
        and clock.to_at - {{ days_interval(days) }}
        {%- endfor %}
),

people_of_changed_campaigns as (
    select candidates.user_key
    from {{ candidates }} as candidates
    where
        candidates.campaign_id in (select changed_campaigns.campaign_id from changed_campaigns)
),

people_of_changed_rates as (
    {%- for relation, moment in [
        (orders, 'ordered_at'), (ref('int_conversions__events'), 'converted_at')
    ] %}
    select valued.user_key
    from {{ relation }} as valued
    inner join changed_rates
        on
            changed_rates.currency in (valued.currency, '{{ var("reporting_currency") }}')
            and cast(valued.{{ moment }} as date) = changed_rates.rate_date
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

people_of_refunds_in_changed_rates as (
    select orders.user_key
    from {{ ref('stg_landing__refunds') }} as refunds
    inner join {{ orders }} as orders
        on refunds.order_id = orders.order_id
    inner join changed_rates
        on
            changed_rates.currency in (
                upper(trim(refunds.currency)), '{{ var("reporting_currency") }}'
            )
            and cast(orders.ordered_at as date) = changed_rates.rate_date
),

people_of_changed_built_orders as (
    select orders.user_key
    from {{ orders }} as orders
    where orders.order_id in (select changed_order_ids.order_id from changed_order_ids)
),
{%- endif %}

affected as (
    select user_key from {{ ref('int_nights__changed_people') }}
    {%- set parts = [
        'people_of_changed_files', 'people_at_shared_devices', 'people_of_changed_orders', 'people_of_changed_offline',
        'people_of_changed_events', 'people_of_changed_event_conversions',
    ] %}
    {%- if not is_first_build %}
    {%- set parts = parts + [
        'passed_orders', 'passed_refunds', 'passed_sessions', 'passed_journeys', 'passed_first_sightings',
        'people_of_changed_campaigns',
        'people_of_changed_rates', 'people_of_refunds_in_changed_rates',
        'people_of_changed_built_orders',
    ] %}
    {%- endif %}
    {%- for part in parts %}
    union
    select user_key from {{ part }}
    {%- endfor %}
    union
    select identifiers.user_key
    from identifiers
    where exists (select 1 from changed_types)
),

final as (
    select user_key from affected
    where user_key is not null
)

select * from final
