-- Grain: one row per run x dataset.
with source_freshness as (
    select * from {{ source('ops', 'source_freshness') }}
),

final as (
    select
        source_freshness.run_id,
        source_freshness.dataset,
        source_freshness.status,

        source_freshness."rows",
        source_freshness.days_overdue,

        source_freshness.last_row_at,
        source_freshness.last_loaded_at,
        source_freshness."at"
    from source_freshness
)

select * from final
