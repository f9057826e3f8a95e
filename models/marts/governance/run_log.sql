-- Grain: one row per report of a step of a run.
with run_log as (
    select * from {{ source('ops', 'run_log') }}
),

final as (
    select
        run_log.run_id,
        run_log.stage,
        run_log.status,
        run_log.reason,

        run_log."rows",
        run_log.seconds,

        run_log."at"
    from run_log
)

select * from final
