-- One row per person: what is known of them as of the night.
{{ config(materialized='view') }}
with moments as (
    select * from {{ ref('int_features__as_of_moment') }}
),

final as (
    select
        user_key,
        feature_at,
        {{ feature_columns() | join(',\n        ') }}
    from moments
    where moment_type = 'now'
)

select * from final
