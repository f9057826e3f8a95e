-- One row per session.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'started_at'},
    on_schema_change='fail'
) }}
with sessions as (
    select sessions.*
    from {{ ref('int_sessions__sessionized') }} as sessions
    {{ join_affected('sessions', 'sessions.started_at') }}
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
