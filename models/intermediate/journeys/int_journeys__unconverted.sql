-- One row per conversion type x eligible touchpoint that no conversion of the type followed in
-- time, with its journey.
-- A person's run of such touches is split at gaps longer than the lookback and cut at its length.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key=['user_key', 'conversion_type'],
    meta={'moment': 'touched_at', 'affected': 'int_nights__affected_runs'},
    on_schema_change='fail'
) }}
{%- set is_affected_type = 'affected.conversion_type = conversion_types.conversion_type'
    if adds_to_built() else 'true' %}
with conversion_types as (
    select * from {{ ref('int_conversions__types') }}
),

followed as (
    select distinct
        pairs.conversion_type,
        pairs.touchpoint_id
    from {{ ref('int_journeys__pairs') }} as pairs
    {{ join_affected(
        'pairs', 'pairs.touched_at', 'int_nights__affected_runs', ['user_key', 'conversion_type']
    ) }}
),

unfollowed as (
    select
        conversion_types.conversion_type,
        touchpoints.touchpoint_id,
        touchpoints.user_key,
        touchpoints.touched_at,
        {{ microseconds('touchpoints.touched_at') }} as touched_microseconds,
        cast(conversion_types.lookback_days as bigint) * 86400000000 as lookback_microseconds,
        cast(null as bigint) as built_run_microseconds,
        cast(null as varchar) as built_journey_id
    from {{ ref('int_touchpoints__collapsed') }} as touchpoints
    cross join conversion_types
    {{ join_affected('touchpoints', 'touchpoints.touched_at', 'int_nights__affected_runs') }}
    left join followed
        on
            touchpoints.touchpoint_id = followed.touchpoint_id
            and conversion_types.conversion_type = followed.conversion_type
    where
        touchpoints.is_eligible
        and {{ is_affected_type }}
        and followed.touchpoint_id is null
    {%- if adds_to_built() %}
    union all
    -- The last touch that stays as it is: the run that it is in may go on.
    select
        built.conversion_type,
        max_by(built.touchpoint_id, (built.touched_at, built.touchpoint_id)) as touchpoint_id,
        built.user_key,
        max(built.touched_at) as touched_at,
        max({{ microseconds('built.touched_at') }}) as touched_microseconds,
        max(built.lookback_microseconds) as lookback_microseconds,
        max_by(built.run_microseconds, (built.touched_at, built.touchpoint_id))
            as built_run_microseconds,
        max_by(built.journey_id, (built.touched_at, built.touchpoint_id)) as built_journey_id
    from {{ this }} as built
    inner join {{ ref('int_nights__affected_runs') }} as affected
        on
            built.user_key = affected.user_key
            and built.conversion_type = affected.conversion_type
            and built.touched_at < affected.from_at
            and {{ microseconds('built.touched_at') }}
            >= {{ microseconds('affected.from_at') }} - built.lookback_microseconds
    group by built.conversion_type, built.user_key
    {%- endif %}
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

with_starts as (
    select
        with_runs.*,
        min(coalesce(built_run_microseconds, touched_microseconds)) over (
            partition by user_key, conversion_type, run_number
        ) as run_microseconds
    from with_runs
),

with_lengths as (
    select
        with_starts.*,
        (touched_microseconds - run_microseconds) // nullif(lookback_microseconds, 0)
            as piece_number
    from with_starts
),

with_journeys as (
    select
        with_lengths.*,
        first_value(
            coalesce(built_journey_id, {{ surrogate_key(['conversion_type', 'touchpoint_id']) }})
        ) over (
            partition by user_key, conversion_type, run_number, piece_number
            order by touched_microseconds, touchpoint_id
        ) as journey_id
    from with_lengths
),

final as (
    select
        journey_id,
        touchpoint_id,
        user_key,
        conversion_type,
        touched_at,
        lookback_microseconds,
        run_microseconds
    from with_journeys
    where built_journey_id is null
)

select * from final
