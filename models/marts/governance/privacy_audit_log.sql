-- Grain: one row per request of a person, and per run that read personal data.
with requests as (
    select * from {{ source('ops', 'privacy_audit_log') }}
),

run_log as (
    select * from {{ source('ops', 'run_log') }}
),

asked as (
    select
        request_id as entry_id,
        run_id,
        kind,
        cast(null as varchar) as purpose,
        status,
        reason,
        people_count,
        rows_deleted,
        rows_anonymised,
        files_rewritten,
        requested_at,
        "at"
    from requests
),

-- Each build of the intermediate layer reads what people did, for all of these purposes.
processed as (
    select
        'run|' || run_id as entry_id,
        run_id,
        'processing' as kind,
        'analytics, personalization, advertising' as purpose,
        max(status) as status,
        cast(null as varchar) as reason,
        cast(null as bigint) as people_count,
        cast(null as bigint) as rows_deleted,
        cast(null as bigint) as rows_anonymised,
        cast(null as bigint) as files_rewritten,
        cast(null as timestamp) as requested_at,
        max("at") as "at"
    from run_log
    where stage = 'build_intermediate'
    group by run_id
),

final as (
    select * from asked
    union all
    select * from processed
)

select * from final
