-- One row per journey, converting or not.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='journey_id',
    meta={'affected': 'int_nights__affected_journeys'},
    on_schema_change='fail'
) }}
with journeys as (
    select * from {{ ref('int_journeys__journeys') }}
    where {{ only_affected('journey_id', 'int_nights__affected_journeys', 'journey_id') }}
),

described as (
    select
        journey_touchpoints.journey_id,
        journey_touchpoints.touch_number,
        touchpoints.channel
    from {{ ref('int_journeys__touchpoints') }} as journey_touchpoints
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on journey_touchpoints.touchpoint_id = touchpoints.touchpoint_id
    where
        {{ only_affected(
            'journey_touchpoints.journey_id', 'int_nights__affected_journeys', 'journey_id'
        ) }}
),

channels_in_use as (
    select distinct channel from described
),

channels as (
    select
        channel,
        row_number() over (order by channel) as channel_code
    from channels_in_use
),

codebook as (
    select {{ ordered_list('channel', 'channel_code') }} as channel_names
    from channels
),

journey_touchpoints as (
    select
        described.journey_id,
        described.touch_number,
        channels.channel_code
    from described
    inner join channels
        on described.channel = channels.channel
),

paths as (
    select
        journey_id,
        {{ ordered_codes('channel_code', 'touch_number') }} as path
    from journey_touchpoints
    group by journey_id
),

first_occurrences as (
    select
        journey_id,
        channel_code,
        min(touch_number) as touch_number
    from journey_touchpoints
    group by journey_id, channel_code
),

unique_paths as (
    select
        journey_id,
        {{ ordered_codes('channel_code', 'touch_number') }} as path_unique
    from first_occurrences
    group by journey_id
),

final as (
    select
        journeys.journey_id,
        journeys.user_key,
        journeys.conversion_id,
        journeys.conversion_type,
        {{ named_codes('paths.path', 'codebook.channel_names') }} as path,
        {{ named_codes('unique_paths.path_unique', 'codebook.channel_names') }} as path_unique,
        journeys.touch_count,
        journeys.days_to_conversion,
        journeys.is_converted,
        journeys.is_open,
        journeys.started_at,
        journeys.ended_at
    from journeys
    cross join codebook
    left join paths
        on journeys.journey_id = paths.journey_id
    left join unique_paths
        on journeys.journey_id = unique_paths.journey_id
)

select * from final
