-- One row per landed alias call: the previous id and the present one are one person's.
with source as (
    {{ released('segment') }}
    where lower(landed.type) = 'alias'
),

renamed as (
    select
        ---------- keys
        -- Mostly the id of a browser; where a person has it as user_id, it is that as well.
        previous_id as anonymous_id,
        previous_id as previous_user_id,
        user_id,
        ---------- times
        coalesce(timestamp, original_timestamp, received_at) as aliased_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
