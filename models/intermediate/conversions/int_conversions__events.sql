-- One row per conversion that an event tells of: the earliest of the events with its de-duplication
-- key.
-- The key, the value and the currency are read from the landed properties, which go no further than
-- here.
with definitions as (
    select * from {{ ref('conversion_definitions') }}
    where source = 'events'
),

events as (
    select * from {{ ref('int_events__deduplicated') }}
    where exclusion_reason is null
),

landed as (
    select
        file_seq,
        row_number,
        properties
    from {{ ref('int_events__landed') }}
),

defined as (
    select
        definitions.conversion_type,
        definitions.is_order,
        events.event_id,
        events.user_key,
        events.occurred_at,
        events.source_channel,
        events.file_seq,
        events.row_number,
        case
            when definitions.key_path = 'person_day'
                then
                    coalesce(events.user_key, events.event_id)
                    || '|'
                    || cast(cast(events.occurred_at as date) as varchar)
            when definitions.key_path is null then events.event_id
            when definitions.key_path = 'order_id' then events.order_id
            else
                coalesce(
                    {{ json_text('landed.properties', 'definitions.key_path') }}, events.event_id
                )
        end as conversion_source_key,
        case
            when definitions.value_path is null then events.value
            else
                try_cast(
                    {{ json_text('landed.properties', 'definitions.value_path') }} as decimal(18, 4)
                )
        end as value,
        case
            when definitions.currency_path is null then events.currency
            else upper(trim({{ json_text('landed.properties', 'definitions.currency_path') }}))
        end as currency
    from events
    inner join definitions
        on events.event_name = definitions.event_name
    inner join landed
        on
            events.file_seq = landed.file_seq
            and events.row_number = landed.row_number
    where
        definitions.key_path is distinct from 'order_id'
        or events.order_id is not null
),

ranked as (
    select
        defined.*,
        row_number() over (
            partition by conversion_type, conversion_source_key
            order by occurred_at, event_id
        ) as copy_number
    from defined
),

final as (
    select
        conversion_source_key,
        conversion_type,
        user_key,
        currency,
        source_channel as channel,
        value,
        file_seq,
        row_number,
        is_order,
        occurred_at as converted_at
    from ranked
    where copy_number = 1
)

select * from final
