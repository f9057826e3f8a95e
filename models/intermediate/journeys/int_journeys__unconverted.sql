-- One row per conversion type x eligible touchpoint that no conversion of the type followed in
-- time, with its journey.
-- A person's run of such touches is split at gaps longer than the lookback and cut at its length.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    on_schema_change='fail'
) }}
with conversion_types as (
    select * from {{ ref('int_conversions__types') }}
),

followed as (
    select distinct
        conversion_type,
        touchpoint_id
    from {{ ref('int_journeys__pairs') }}
    where {{ only_affected() }}
),

unfollowed as (
    select
        conversion_types.conversion_type,
        touchpoints.touchpoint_id,
        touchpoints.user_key,
        touchpoints.touched_at,
        {{ microseconds('touchpoints.touched_at') }} as touched_microseconds,
        cast(conversion_types.lookback_days as bigint) * 86400000000 as lookback_microseconds
    from {{ ref('int_touchpoints__collapsed') }} as touchpoints
    cross join conversion_types
    left join followed
        on
            touchpoints.touchpoint_id = followed.touchpoint_id
            and conversion_types.conversion_type = followed.conversion_type
    where
        touchpoints.is_eligible
        and followed.touchpoint_id is null
        and {{ only_affected('touchpoints.user_key') }}
),

with_gaps as (
    select
        unfollowed.*,
        lag(touched_microseconds) over (
            partition by user_key, conversion_type
            order by touched_microseconds, touchpoint_id
        ) as previous_microseconds
    from unfollowed
),

with_runs as (
    select
        with_gaps.*,
        sum(
            case
                when
                    touched_microseconds - previous_microseconds <= lookback_microseconds
                    then 0
                else 1
            end
        ) over (
            partition by user_key, conversion_type
            order by touched_microseconds, touchpoint_id
            rows between unbounded preceding and current row
        ) as run_number
    from with_gaps
),

with_lengths as (
    select
        with_runs.*,
        (
            touched_microseconds
            - min(touched_microseconds) over (partition by user_key, conversion_type, run_number)
        )
        // nullif(lookback_microseconds, 0) as piece_number
    from with_runs
),

with_journeys as (
    select
        with_lengths.*,
        first_value(touchpoint_id) over (
            partition by user_key, conversion_type, run_number, piece_number
            order by touched_microseconds, touchpoint_id
        ) as first_touchpoint_id
    from with_lengths
),

final as (
    select
        {{ surrogate_key(['conversion_type', 'first_touchpoint_id']) }} as journey_id,
        touchpoint_id,
        user_key,
        conversion_type,
        touched_at,
        lookback_microseconds
    from with_journeys
)

select * from final
