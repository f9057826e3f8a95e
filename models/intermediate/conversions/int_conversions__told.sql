-- One row per conversion type x event that tells of a conversion.
-- The key, the value and the currency are read from the landed properties, which go no further than
-- here.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='event_id',
    meta={'affected': 'int_events__changed'},
    on_schema_change='fail'
) }}
with definitions as (
    select * from {{ ref('conversion_definitions') }}
    where source = 'events'
),

events as (
    select * from {{ ref('int_events__deduplicated') }}
    where
        exclusion_reason is null
        and event_name in (select definitions.event_name from definitions)
        and {{ only_affected('event_id', 'int_events__changed', 'event_id') }}
),

landed as (
    select
        file_seq,
        row_number,
        properties
    from {{ ref('int_events__landed') }}
    where file_seq in (select events.file_seq from events)
),

final as (
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
)

select * from final
