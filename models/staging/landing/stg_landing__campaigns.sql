-- One row per landed campaign.
with source as (
    {{ released('campaigns') }}
),

renamed as (
    select
        ---------- keys
        campaign_id,
        ---------- text
        name,
        channel,
        tactic,
        objective,
        extra,
        ---------- booleans
        is_personalized,
        ---------- times
        started_at,
        ended_at,
        eligible_until,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
