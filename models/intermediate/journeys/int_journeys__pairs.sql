-- One row per conversion x eligible touchpoint before it.
-- A touch counts when it is at or before the conversion, and not older than the lookback or still
-- within its own
-- eligible_until; where the journey begins after the last conversion of the type, later than that
-- one. A touch of a type with a lookback of its own (var touch_lookback_days) counts by the shorter.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'converted_at'},
    on_schema_change='fail'
) }}
{%- set bucket = 30 * 86400 * 1000000 %}
with conversions as (
    select
        conversions.conversion_id,
        conversions.user_key,
        conversions.conversion_type,
        conversions.converted_at,
        {{ microseconds('conversions.converted_at') }} as converted_microseconds,
        cast(conversions.lookback_days as bigint) * 86400000000 as lookback_microseconds,
        case
            when conversions.journey_boundary = 'since_last_conversion'
                then conversions.previous_converted_at
        end as journey_begins_after
    from {{ ref('int_conversions__valued') }} as conversions
    {{ join_affected('conversions', 'conversions.converted_at') }}
    where conversions.user_key is not null
),

touchpoints as (
    select
        touchpoint_id,
        user_key,
        touched_at,
        eligible_until,
        {{ microseconds('touched_at') }} as touched_microseconds,
        {{ microseconds('touched_at') }} // {{ bucket }} as touched_bucket,
        least(
            9223372036854775807
            {%- for touch_type in var('touch_lookback_days') %},
            case
                when touch_type = '{{ touch_type }}'
                    then {{ touch_lookback_microseconds(touch_type) }}
            end
            {%- endfor %}
        ) as touch_lookback_microseconds
    from {{ ref('int_touchpoints__collapsed') }}
    where
        is_eligible
        and user_key in (select conversions.user_key from conversions)
),

-- Each conversion is told the 30-day buckets that its lookback reaches, so that the join has an
-- equality besides the ranges.
bucketed as (
    select
        conversions.*,
        {{ explode_range(
            '(converted_microseconds - lookback_microseconds) // ' ~ bucket,
            'converted_microseconds // ' ~ bucket
        ) }} as touched_bucket
    from conversions
),

within_lookback as (
    select
        bucketed.conversion_id,
        touchpoints.touchpoint_id,
        bucketed.user_key,
        bucketed.conversion_type,
        touchpoints.touched_at,
        bucketed.converted_at,
        bucketed.converted_microseconds
        - touchpoints.touched_microseconds as microseconds_to_conversion,
        bucketed.journey_begins_after
    from bucketed
    inner join touchpoints
        on
            bucketed.user_key = touchpoints.user_key
            and bucketed.touched_bucket = touchpoints.touched_bucket
            and bucketed.converted_microseconds >= touchpoints.touched_microseconds
            and touchpoints.touched_microseconds
            >= bucketed.converted_microseconds - bucketed.lookback_microseconds
            and bucketed.converted_microseconds - touchpoints.touched_microseconds
            <= touchpoints.touch_lookback_microseconds
),

-- Older than the lookback, but still good: printed offers while their campaign runs.
within_own_time as (
    select
        conversions.conversion_id,
        touchpoints.touchpoint_id,
        conversions.user_key,
        conversions.conversion_type,
        touchpoints.touched_at,
        conversions.converted_at,
        conversions.converted_microseconds
        - touchpoints.touched_microseconds as microseconds_to_conversion,
        conversions.journey_begins_after
    from conversions
    inner join touchpoints
        on
            conversions.user_key = touchpoints.user_key
            and conversions.converted_at <= touchpoints.eligible_until
            and conversions.converted_microseconds - touchpoints.touched_microseconds
            > least(conversions.lookback_microseconds, touchpoints.touch_lookback_microseconds)
),

candidates as (
    select * from within_lookback
    union all
    select * from within_own_time
),

final as (
    select
        conversion_id,
        touchpoint_id,
        user_key,
        conversion_type,
        microseconds_to_conversion,
        touched_at,
        converted_at
    from candidates
    where journey_begins_after is null or touched_at > journey_begins_after
)

select * from final
