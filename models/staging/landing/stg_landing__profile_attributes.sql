-- One row per landed observed attribute.
with source as (
    {{ released('profile_attributes') }}
),

renamed as (
    select
        ---------- keys
        user_id,
        ---------- text
        email,
        attribute,
        value,
        kind,
        source,
        extra,
        ---------- times
        observed_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
