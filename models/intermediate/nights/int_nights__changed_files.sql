-- One row per landed file that is to be taken in: it is new, or held rows later than the last
-- night's clock.
with released_files as (
    select * from {{ ref('stg_landing__files') }}
    where is_released
),

built_files as (
    select * from {{ source('built', 'built_files') }}
),

final as (
    select
        released_files.file_seq,
        released_files.dataset
    from released_files
    left join built_files
        on
            released_files.file_seq = built_files.file_seq
            and released_files.content_key = built_files.content_key
    where
        built_files.file_seq is null
        or built_files.is_open
)

select * from final
