-- One row per file and line that could not be loaded. What the line holds stays in raw, and so does
-- the reason, which quotes it.
with source as (
    select * from {{ source('raw', '_quarantine') }}
),

-- A line may hold several broken JSON objects.
renamed as (
    select
        ---------- keys
        file_seq,
        ---------- text
        dataset,
        ---------- numbers
        line,
        count(*) as rows_count,
        ---------- times
        max(quarantined_at) as quarantined_at
    from source
    group by file_seq, dataset, line
)

select * from renamed
