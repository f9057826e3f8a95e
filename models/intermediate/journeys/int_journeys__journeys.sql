-- One row per journey: of each conversion, also of those without a touch, and of each run of
-- touches that led to none.
with touches as (
    select * from {{ ref('int_journeys__touchpoints') }}
),

conversions as (
    select * from {{ ref('int_conversions__valued') }}
),

conversion_types as (
    select distinct
        conversion_type,
        lookback_days
    from conversions
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
        false as is_open,
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
        {{ microseconds('summed.last_touched_at') }}
        + cast(conversion_types.lookback_days as bigint) * 86400000000
        >= {{ microseconds(as_of()) }}
        or coalesce(own_times.eligible_until >= {{ as_of() }}, false) as is_open,
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

final as (
    select * from converting
    union all
    select * from unconverted
)

select * from final
