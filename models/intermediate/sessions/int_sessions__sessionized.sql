-- One row per session. What brought it and where it landed are its first event's; where it was is
-- the first that says so.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'started_at'},
    on_schema_change='fail'
) }}
{%- set first_event_columns = [
    'channel', 'campaign_id', 'content_id', 'referrer_host'
] %}
{%- set first_known_columns = ['page_path', 'device_type', 'country', 'region', 'city'] %}
with session_events as (
    select session_events.*
    from {{ ref('int_sessions__events') }} as session_events
    {{ join_affected('session_events', 'session_events.occurred_at') }}
),

grouped as (
    select
        user_key,
        visitor_key,
        source_session_id,
        first_event_id,
        {%- for column in first_event_columns %}
        max(case when event_number = 1 then {{ column }} end) as {{ column }},
        {%- endfor %}
        {%- for column in first_known_columns %}
        min_by({{ column }}, event_number) filter (where {{ column }} is not null) as {{ column }},
        {%- endfor %}
        count(*) as events_count,
        -- Summed as a decimal: the same whatever the order.
        cast(sum(cast(coalesce(engagement_seconds, 0) as decimal(18, 3))) as double)
            as engagement_seconds,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at
    from session_events
    group by user_key, visitor_key, source_session_id, first_event_id
),

final as (
    select
        ---------- keys
        -- Of the event alone: no tie is broken by how a person happens to be called.
        {{ surrogate_key(['grouped.first_event_id']) }} as session_id,
        grouped.user_key,
        grouped.visitor_key as device_key,
        grouped.campaign_id,
        grouped.content_id,
        ---------- text
        grouped.channel,
        grouped.page_path as landing_page,
        grouped.referrer_host,
        grouped.device_type,
        grouped.country,
        grouped.region,
        grouped.city,
        ---------- numbers
        grouped.events_count,
        grouped.engagement_seconds,
        ---------- booleans
        grouped.events_count = 1 as is_bounced,
        coalesce(channels.is_paid, false) as is_paid,
        coalesce(channels.is_direct, false) as is_direct,
        ---------- times
        grouped.started_at,
        grouped.ended_at
    from grouped
    left join {{ ref('channels') }} as channels
        on grouped.channel = channels.channel
)

select * from final
