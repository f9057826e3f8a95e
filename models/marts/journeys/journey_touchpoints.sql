-- One row per journey x touchpoint, with the person's segments as of the touch.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='journey_id',
    meta={'affected': 'int_nights__affected_journeys'},
    on_schema_change='fail'
) }}
with journey_touchpoints as (
    select * from {{ ref('int_journeys__touchpoints') }}
    where {{ only_affected('journey_id', 'int_nights__affected_journeys', 'journey_id') }}
),

labelled_touches as (
    select * from {{ ref('int_segments__labelled_moments') }}
    where moment_type = 'touch'
),

final as (
    select
        ---------- keys
        journey_touchpoints.journey_id,
        journey_touchpoints.touchpoint_id,
        journey_touchpoints.user_key,
        ---------- text
        {%- for column in segment_columns() %}
        labelled_touches.{{ column }},
        {%- endfor %}
        ---------- numbers
        journey_touchpoints.touch_number,
        journey_touchpoints.touch_count,
        journey_touchpoints.microseconds_to_conversion / 1e6 as seconds_to_conversion
    from journey_touchpoints
    left join labelled_touches
        on journey_touchpoints.touchpoint_id = labelled_touches.moment_id
)

select * from final
