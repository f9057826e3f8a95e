-- One row per landed request of a person.
with source as (
    {{ released('privacy_requests') }}
),

renamed as (
    select
        ---------- keys
        request_id,
        user_id,
        anonymous_id,
        ---------- text
        email,
        phone,
        kind,
        extra,
        ---------- times
        requested_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
