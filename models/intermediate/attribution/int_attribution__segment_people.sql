-- One row per scope x conversion type x day of the conversion x person x combination of segments
-- with credit there.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='converted_date',
    meta={'affected': 'int_attribution__affected_days'},
    on_schema_change='fail'
) }}
with apportioned as (
    select * from {{ ref('int_attribution__apportioned') }}
    where
        attribution_scope in ('all', 'personalized')
        and {{ only_affected(
            'cast(converted_at as date)', 'int_attribution__affected_days', 'converted_date'
        ) }}
),

labelled_moments as (
    select * from {{ ref('int_segments__labelled_moments') }}
    where moment_type in ('touch', 'conversion')
),

labelled as (
    {{ labelled_credit('apportioned', 'labelled_moments') }}
),

final as (
    select
        attribution_scope,
        conversion_type,
        converted_date,
        user_key,
        {{ surrogate_key(segment_columns()) }} as segments_key,
        {{ segment_columns() | join(',\n        ') }}
    from labelled
    group by
        attribution_scope,
        conversion_type,
        converted_date,
        user_key,
        {{ segment_columns() | join(',\n        ') }}
)

select * from final
