-- One row per person, old or new, of whom something was landed or is another's, with the moment
-- from which their rows may differ from those of the last night: no visit or contact spans it.
{%- set beginning = "timestamp '1970-01-01'" %}
{%- set search_days = 7 %}
{%- set events = as_built('int_events__deduplicated') %}
{%- set session_events = as_built('int_sessions__events') %}
{%- set sessions = as_built('int_sessions__sessionized') %}
{%- set candidates = as_built('int_touchpoints__candidates') %}
{%- set orders = as_built('int_conversions__orders') %}
{%- set is_first_build = none in [events, session_events, sessions, candidates, orders] %}
-- depends_on: {{ ref('int_events__deduplicated') }}
-- depends_on: {{ ref('stg_landing__campaigns') }}
with changed_files as (
    select * from {{ ref('int_nights__changed_files') }}
),

identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

-- Whose identifiers are in a file that is taken in. CRM records have no history: they change
-- everything.
changed_combinations as (
    select
        observed.*,
        case when changed_files.dataset <> 'contacts' then observed.first_seen_at end as from_at
    from {{ ref('int_identity__observed') }} as observed
    inner join changed_files
        on observed.file_seq = changed_files.file_seq
),

-- Not only the strongest identifier of a row: on a device that many share, a click names somebody
-- of its own, who is not the one that the row is told of.
people_of_changed_identifiers as (
    {%- for type in identifier_types() %}
    select
        identifiers.user_key,
        changed_combinations.from_at
    from identifiers
    inner join changed_combinations
        on
            identifiers.identifier_type = '{{ type }}'
            and identifiers.identifier_value = changed_combinations.{{ type }}
    {% if not loop.last %}union{% endif %}
    {%- endfor %}
),

-- So do the traits of identify calls.
changed_traits as (
    select
        *,
        cast(null as timestamp) as from_at
    from {{ ref('stg_segment__contacts') }}
    where file_seq in (select changed_files.file_seq from changed_files)
),

people_of_changed_traits as (
    {{ identified('changed_traits', ['user_id', 'email', 'phone', 'anonymous_id']) }}
),

-- What was observed at no said time was always known.
changed_undated_attributes as (
    select
        *,
        cast(null as timestamp) as from_at
    from {{ ref('stg_landing__profile_attributes') }}
    where
        observed_at is null
        and file_seq in (select changed_files.file_seq from changed_files)
),

people_of_changed_undated_attributes as (
    {{ identified('changed_undated_attributes', ['user_id', 'email']) }}
),

-- Whoever had a device, at some time, that is in such a file.
people_at_shared_devices as (
    {%- for device_type in device_types() %}
    select
        stints.user_key,
        changed_combinations.from_at
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
    from {{ ref('int_conversions__order_items') }} as order_items
    inner join {{ ref('stg_landing__products') }} as products
        on order_items.product_id = products.product_id
    where products.file_seq in (select changed_files.file_seq from changed_files)
),

changed_orders as (
    select
        *,
        ordered_at as from_at
    from {{ ref('stg_landing__orders') }}
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
    select
        *,
        converted_at as from_at
    from {{ ref('stg_landing__offline_conversions') }} as offline_conversions
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
        built_events.user_key as old_user_key,
        least(events.converted_at, built_events.converted_at) as from_at
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
    select
        new_user_key as user_key,
        from_at
    from changed_event_conversions
    union all
    select
        old_user_key as user_key,
        from_at
    from changed_event_conversions
),

-- Whoever had an event until now that was taken in anew.
people_of_changed_events as (
    select
        built_user_key as user_key,
        built_occurred_at as from_at
    from {{ ref('int_events__changed') }}
    where built_user_key is not null
),

{%- if not is_first_build %}

-- A visit with an id of its own goes on however long it paused.
people_of_resumed_visits as (
    select
        visited.user_key,
        min(visited.occurred_at) as from_at
    from {{ session_events }} as visited
    inner join (
        select
            user_key,
            source_session_id
        from {{ ref('int_events__deduplicated') }}
        where
            source_session_id is not null
            and event_id in (select changed.event_id from {{ ref('int_events__changed') }} as changed)
        group by user_key, source_session_id
    ) as resumed
        on
            visited.user_key = resumed.user_key
            and visited.source_session_id = resumed.source_session_id
    group by visited.user_key, visited.source_session_id
),

changed_campaigns as (
    select campaign_id
    from {{ ref('stg_landing__campaigns') }}
    where file_seq in (select changed_files.file_seq from changed_files)
),

people_of_changed_campaigns as (
    select
        events.user_key,
        events.occurred_at as from_at
    from {{ events }} as events
    where
        events.campaign_id in (select changed_campaigns.campaign_id from changed_campaigns)
),

people_of_changed_rates as (
    {%- for relation, moment in [
        (orders, 'ordered_at'), (ref('int_conversions__events'), 'converted_at')
    ] %}
    select
        valued.user_key,
        valued.{{ moment }} as from_at
    from {{ relation }} as valued
    inner join changed_rates
        on
            changed_rates.currency in (valued.currency, '{{ var("reporting_currency") }}')
            and cast(valued.{{ moment }} as date) = changed_rates.rate_date
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

people_of_refunds_in_changed_rates as (
    select
        orders.user_key,
        orders.ordered_at as from_at
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
    select
        orders.user_key,
        orders.ordered_at as from_at
    from {{ orders }} as orders
    where orders.order_id in (select changed_order_ids.order_id from changed_order_ids)
),
{%- endif %}

affected as (
    select
        user_key,
        cast(null as timestamp) as from_at
    from {{ ref('int_nights__changed_people') }}
    union all
    select
        identifiers.user_key,
        cast(null as timestamp) as from_at
    from identifiers
    where exists (select 1 from changed_types)
    {%- set parts = [
        'people_of_changed_identifiers', 'people_of_changed_traits',
        'people_of_changed_undated_attributes', 'people_at_shared_devices',
        'people_of_changed_orders', 'people_of_changed_offline', 'people_of_changed_events',
        'people_of_changed_event_conversions',
    ] %}
    {%- if not is_first_build %}
    {%- set parts = parts + [
        'people_of_resumed_visits', 'people_of_changed_campaigns', 'people_of_changed_rates',
        'people_of_refunds_in_changed_rates', 'people_of_changed_built_orders',
    ] %}
    {%- endif %}
    {%- for part in parts %}
    union all
    select
        user_key,
        from_at
    from {{ part }}
    {%- endfor %}
),

people as (
    select
        user_key,
        min(coalesce(from_at, {{ beginning }})) as from_at
    from affected
    where user_key is not null
    group by user_key
),

{%- if is_first_build %}

final as (
    select
        user_key,
        {{ beginning }} as from_at
    from people
)
{%- else %}

-- Times in which a person is busy as far as is built: a later event joins the visit or the contact.
busy as (
    select
        people.user_key,
        sessions.started_at as busy_from,
        sessions.ended_at + interval ({{ var('session_timeout_minutes') }}) minute as busy_until
    from {{ sessions }} as sessions
    inner join people
        on
            sessions.user_key = people.user_key
            and sessions.ended_at >= people.from_at - {{ days_interval(search_days + 1) }}
            and sessions.started_at < people.from_at
    union all
    select
        people.user_key,
        candidates.touched_at as busy_from,
        candidates.touched_at + interval ({{ var('touch_collapse_minutes') }}) minute as busy_until
    from {{ candidates }} as candidates
    inner join people
        on
            candidates.user_key = people.user_key
            and candidates.touched_at >= people.from_at - {{ days_interval(search_days + 1) }}
            and candidates.touched_at < people.from_at
    union all
    select
        user_key,
        from_at as busy_from,
        from_at as busy_until
    from people
),

with_breaks as (
    select
        *,
        max(busy_until) over (
            partition by user_key
            order by busy_from
            rows between unbounded preceding and 1 preceding
        ) as busy_before_until
    from busy
),

-- The last moment at which nothing was going on. Where the person was never at rest for days,
-- everything.
breaks as (
    select
        user_key,
        max(busy_from) as from_at
    from with_breaks
    where
        busy_before_until is null
        or busy_before_until < busy_from
    group by user_key
),

final as (
    select
        people.user_key,
        case
            when breaks.from_at >= people.from_at - {{ days_interval(search_days) }}
                then breaks.from_at
            else {{ beginning }}
        end as from_at
    from people
    left join breaks
        on people.user_key = breaks.user_key
)
{%- endif %}

select * from final
