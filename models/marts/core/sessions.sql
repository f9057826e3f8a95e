-- One row per session.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    on_schema_change='fail'
) }}
with sessions as (
    select * from {{ ref('int_sessions__sessionized') }}
    where {{ only_affected() }}
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
