-- One row per landed assignment of a unit.
with source as (
    {{ released('experiment_assignments') }}
),

renamed as (
    select
        ---------- keys
        experiment_id,
        variant_id,
        user_id,
        anonymous_id,
        ---------- text
        extra,
        ---------- booleans
        is_control,
        ---------- times
        assigned_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
