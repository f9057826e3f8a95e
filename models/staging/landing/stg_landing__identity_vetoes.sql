-- One row per landed veto: two identifiers are not one person's.
with source as (
    {{ released('identity_vetoes') }}
),

renamed as (
    select
        ---------- text
        lower(trim(first_type)) as first_type,
        first_value,
        lower(trim(second_type)) as second_type,
        second_value,
        comment,
        extra,
        ---------- times
        vetoed_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
