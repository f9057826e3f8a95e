-- One row per scope x conversion type x day of the conversion x person x combination of segments
-- with credit there.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='converted_date',
    meta={'affected': 'int_nights__affected_days'},
    on_schema_change='fail'
) }}
with apportioned as (
    select
        *,
        case when touchpoint_id is null then 'conversion' else 'touch' end as moment_type,
        coalesce(touchpoint_id, conversion_id) as moment_id
    from {{ ref('int_attribution__apportioned') }}
    where
        attribution_scope in ('all', 'personalized')
        and {{ only_affected(
            'cast(converted_at as date)', 'int_nights__affected_days', 'converted_date'
        ) }}
),

labelled_moments as (
    select * from {{ ref('int_segments__labelled_moments') }}
    where moment_type in ('touch', 'conversion')
),

labelled as (
    select
        {%- for column in segment_columns() %}
        coalesce(labelled_moments.{{ column }}, 'unclassified') as {{ column }},
        {%- endfor %}
        apportioned.*,
        cast(apportioned.converted_at as date) as converted_date
    from apportioned
    left join labelled_moments
        on
            apportioned.moment_type = labelled_moments.moment_type
            and apportioned.moment_id = labelled_moments.moment_id
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
