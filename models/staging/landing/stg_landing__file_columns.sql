-- One row per loaded file and name in its header, or key of its JSON objects.
with source as (
    select * from {{ source('raw', '_file_columns') }}
),

-- A header may have a name twice.
renamed as (
    select
        ---------- keys
        file_seq,
        ---------- text
        header as header_name,
        column_name,
        min(kind) as kind,
        ---------- numbers
        min(position) as header_position
    from source
    group by file_seq, header, column_name
)

select * from renamed
