-- One row per landed CRM record.
with source as (
    {{ released('contacts') }}
),

renamed as (
    select
        ---------- keys
        contact_id,
        user_id,
        ---------- text
        email,
        phone,
        first_name,
        last_name,
        birth_date,
        age_band,
        gender,
        country,
        region,
        city,
        postal_code,
        income_band,
        education,
        household_size,
        language,
        lifecycle_stage,
        extra,
        ---------- times
        created_at,
        updated_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
