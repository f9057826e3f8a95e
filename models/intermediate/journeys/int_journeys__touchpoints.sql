-- One row per journey x touchpoint, numbered in the order (touched_at, touchpoint_id); converting
-- journeys and others.
-- A journey keeps at most its latest touches.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='journey_id',
    meta={'affected': 'int_nights__affected_journeys'},
    on_schema_change='fail'
) }}
{%- set max_touches = var('max_touches') %}
with journey_touches as (
    select
        conversion_id as journey_id,
        touchpoint_id,
        user_key,
        conversion_id,
        conversion_type,
        microseconds_to_conversion,
        true as is_converted,
        touched_at,
        converted_at
    from {{ ref('int_journeys__pairs') }}
    where {{ only_affected('conversion_id', 'int_nights__affected_journeys', 'journey_id') }}
    union all
    select
        journey_id,
        touchpoint_id,
        user_key,
        cast(null as varchar) as conversion_id,
        conversion_type,
        cast(null as bigint) as microseconds_to_conversion,
        false as is_converted,
        touched_at,
        cast(null as timestamp) as converted_at
    from {{ ref('int_journeys__unconverted') }}
    where {{ only_affected('journey_id', 'int_nights__affected_journeys', 'journey_id') }}
),

numbered as (
    select
        journey_touches.*,
        row_number() over (
            partition by journey_id
            order by touched_at, touchpoint_id
        ) as number_of_all,
        count(*) over (partition by journey_id) as count_of_all
    from journey_touches
),

final as (
    select
        ---------- keys
        journey_id,
        touchpoint_id,
        user_key,
        conversion_id,
        ---------- text
        conversion_type,
        ---------- numbers
        number_of_all - greatest(count_of_all - {{ max_touches }}, 0) as touch_number,
        least(count_of_all, {{ max_touches }}) as touch_count,
        microseconds_to_conversion,
        ---------- booleans
        is_converted,
        ---------- times
        touched_at,
        converted_at
    from numbered
    where count_of_all - number_of_all < {{ max_touches }}
)

select * from final
