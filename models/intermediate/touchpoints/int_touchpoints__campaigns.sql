-- One row per campaign: the last loaded state of it.
with landed as (
    select
        landed.*,
        row_number()
            over (partition by campaign_id order by file_seq desc, row_number desc)
            as age_number
    from {{ ref('stg_landing__campaigns') }} as landed
),

final as (
    select
        campaign_id,
        name,
        lower(trim(channel)) as channel,
        lower(trim(tactic)) as tactic,
        objective,
        is_personalized,
        started_at,
        ended_at,
        eligible_until
    from landed
    where age_number = 1
)

select * from final
