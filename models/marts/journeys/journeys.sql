-- One row per journey, converting or not.
with journeys as (
    select * from {{ ref('int_journeys__journeys') }}
),

paths as (
    select
        journey_touchpoints.journey_id,
        {{ ordered_list('touchpoints.channel', 'journey_touchpoints.touch_number') }} as path
    from {{ ref('int_journeys__touchpoints') }} as journey_touchpoints
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on journey_touchpoints.touchpoint_id = touchpoints.touchpoint_id
    group by journey_touchpoints.journey_id
),

final as (
    select
        journeys.journey_id,
        journeys.user_key,
        journeys.conversion_id,
        journeys.conversion_type,
        paths.path,
        {{ first_occurrences('paths.path') }} as path_unique,
        journeys.touch_count,
        journeys.days_to_conversion,
        journeys.is_converted,
        journeys.is_open,
        journeys.started_at,
        journeys.ended_at
    from journeys
    left join paths
        on journeys.journey_id = paths.journey_id
)

select * from final
