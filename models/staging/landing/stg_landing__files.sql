-- One row per landed file.
with source as (
    select * from {{ source('raw', '_files') }}
),

batches as (
    select * from {{ source('raw', '_batches') }}
),

renamed as (
    select
        ---------- keys
        source.file_seq,
        source.batch_id,
        source.run_id,
        ---------- text
        source.dataset,
        source.path,
        source.sha256,
        source.duplicate_of,
        case
            when source.status = 'loaded' and batches.status = 'held' then 'held'
            else source.status
        end as status,
        -- Which load of the path, and which content: another one is another file to the nights.
        source.batch_id || '|' || coalesce(source.sha256, '') as content_key,
        ---------- numbers
        source.rows_in_file,
        source.rows_loaded,
        source.rows_quarantined,
        ---------- booleans
        coalesce(batches.status = 'released', false) as is_released,
        ---------- times
        source.first_seen_at,
        source.loaded_at
    from source
    left join batches
        on source.batch_id = batches.batch_id
)

select * from renamed
