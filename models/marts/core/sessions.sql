-- One row per session.
with sessions as (
    select * from {{ ref('int_sessions__sessionized') }}
),

final as (
    select
        session_id,
        user_key,
        campaign_id,
        channel,
        landing_page,
        device_type,
        country,
        events_count,
        engagement_seconds,
        is_bounced,
        started_at,
        ended_at
    from sessions
)

select * from final
