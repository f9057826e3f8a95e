-- One row per touchpoint: what was known of its person strictly before it.
{{ config(materialized='view') }}
with moments as (
    select * from {{ ref('int_features__as_of_moment') }}
),

final as (
    select
        moment_id as touchpoint_id,
        user_key,
        feature_at,
        {{ feature_columns() | join(',\n        ') }}
    from moments
    where moment_type = 'touch'
)

select * from final
