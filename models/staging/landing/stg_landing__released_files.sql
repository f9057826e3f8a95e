-- One row per landed file whose rows are released, with the content they are of.
with files as (
    select * from {{ source('raw', '_files') }}
),

batches as (
    select * from {{ source('raw', '_batches') }}
),

final as (
    select
        files.file_seq,
        files.dataset,
        -- Which load of the path, and which content: another one is another file to the nights.
        files.batch_id || '|' || coalesce(files.sha256, '') as content_key
    from files
    inner join batches
        on
            files.batch_id = batches.batch_id
            and batches.status = 'released'
)

select * from final
