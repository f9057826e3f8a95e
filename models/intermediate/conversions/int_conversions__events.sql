-- One row per conversion that an event tells of: the earliest of the events with its de-duplication
-- key.
with told as (
    select * from {{ ref('int_conversions__told') }}
),

ranked as (
    select
        told.*,
        row_number() over (
            partition by conversion_type, conversion_source_key
            order by occurred_at, event_id
        ) as copy_number
    from told
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
