-- Grain: one row per run x stage x check.
with quality_results as (
    select * from {{ source('ops', 'quality_results') }}
),

final as (
    select
        quality_results.run_id,
        quality_results.stage,
        quality_results."check",
        quality_results.severity,
        quality_results.observed,
        quality_results.reason,

        quality_results.success,

        quality_results."at"
    from quality_results
)

select * from final
