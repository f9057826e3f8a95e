-- One row per landed match: two CRM records that are probably one person's.
with source as (
    {{ released('identity_matches') }}
),

renamed as (
    select
        ---------- keys
        first_contact_id,
        second_contact_id,
        ---------- text
        extra,
        ---------- numbers
        probability,
        ---------- times
        matched_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
