-- One row per journey: of each conversion, also of those without a touch, and of each run of
-- touches that led to none.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='journey_id',
    meta={'affected': 'int_nights__affected_journeys'},
    on_schema_change='fail'
) }}
with touches as (
    select * from {{ ref('int_journeys__touchpoints') }}
    where {{ only_affected('journey_id', 'int_nights__affected_journeys', 'journey_id') }}
),

conversions as (
    select * from {{ ref('int_conversions__valued') }}
    where {{ only_affected('conversion_id', 'int_nights__affected_journeys', 'journey_id') }}
),

conversion_types as (
    select * from {{ ref('int_conversions__types') }}
),

summed as (
    select
        journey_id,
        user_key,
        conversion_type,
        conversion_id,
        count(*) as touch_count,
        min(touched_at) as started_at,
        max(touched_at) as last_touched_at
    from touches
    group by journey_id, user_key, conversion_type, conversion_id
),

-- Touches that are good for longer than the lookback, such as printed offers.
own_times as (
    select
        touches.journey_id,
        max(touchpoints.eligible_until) as eligible_until
    from touches
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on touches.touchpoint_id = touchpoints.touchpoint_id
    where
        not touches.is_converted
        and touchpoints.eligible_until is not null
    group by touches.journey_id
),

converting as (
    select
        conversions.conversion_id as journey_id,
        conversions.user_key,
        conversions.conversion_id,
        conversions.conversion_type,
        coalesce(summed.touch_count, 0) as touch_count,
        ({{ microseconds('conversions.converted_at') }} - {{ microseconds('summed.started_at') }})
        / 86400000000e0
            as days_to_conversion,
        true as is_converted,
        cast(null as timestamp) as open_until,
        coalesce(summed.started_at, conversions.converted_at) as started_at,
        conversions.converted_at as ended_at,
        conversions.converted_at
    from conversions
    left join summed
        on conversions.conversion_id = summed.journey_id
),

unconverted as (
    select
        summed.journey_id,
        summed.user_key,
        cast(null as varchar) as conversion_id,
        summed.conversion_type,
        summed.touch_count,
        cast(null as double) as days_to_conversion,
        false as is_converted,
        -- Open while a conversion could still follow in time.
        greatest(
            summed.last_touched_at + {{ days_interval('conversion_types.lookback_days') }},
            coalesce(own_times.eligible_until, summed.last_touched_at)
        ) as open_until,
        summed.started_at,
        summed.last_touched_at as ended_at,
        cast(null as timestamp) as converted_at
    from summed
    inner join conversion_types
        on summed.conversion_type = conversion_types.conversion_type
    left join own_times
        on summed.journey_id = own_times.journey_id
    where summed.conversion_id is null
),

journeys as (
    select * from converting
    union all
    select * from unconverted
),

final as (
    select
        journey_id,
        user_key,
        conversion_id,
        conversion_type,
        touch_count,
        days_to_conversion,
        is_converted,
        coalesce(open_until >= {{ as_of() }}, false) as is_open,
        started_at,
        ended_at,
        converted_at,
        open_until
    from journeys
)

select * from final
