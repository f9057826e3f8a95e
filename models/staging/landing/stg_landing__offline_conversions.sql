-- One row per landed offline conversion.
with source as (
    {{ released('offline_conversions') }}
),

renamed as (
    select
        ---------- keys
        conversion_id,
        user_id,
        ---------- text
        conversion_type,
        email,
        phone,
        currency,
        extra,
        ---------- numbers
        value,
        ---------- times
        converted_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
