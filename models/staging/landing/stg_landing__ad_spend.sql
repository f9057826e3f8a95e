-- One row per landed day of spend.
with source as (
    {{ released('ad_spend') }}
),

renamed as (
    select
        ---------- keys
        campaign_id,
        content_id,
        ---------- text
        channel,
        currency,
        extra,
        ---------- numbers
        spend,
        impressions,
        clicks,
        ---------- times
        date as spend_date,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
