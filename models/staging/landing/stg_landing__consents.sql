-- One row per landed change of consent.
with source as (
    {{ released('consents') }}
),

renamed as (
    select
        ---------- keys
        user_id,
        anonymous_id,
        ---------- text
        email,
        purpose,
        jurisdiction,
        extra,
        ---------- booleans
        is_granted,
        ---------- times
        changed_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
