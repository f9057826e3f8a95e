-- One row per landed file that is loaded and released, with the batch that loaded it.
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
        files.batch_id
    from files
    inner join batches
        on
            files.batch_id = batches.batch_id
            and batches.status = 'released'
    where files.status = 'loaded'
)

select * from final
