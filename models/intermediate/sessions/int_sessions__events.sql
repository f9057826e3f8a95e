-- One row per event of a visit, with its session.
-- A session ends after 30 minutes without an event of its device, or when another campaign brings
-- the device in again;
-- a session id of the source wins over both. Midnight ends nothing. A visit is of one person.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'occurred_at'},
    on_schema_change='fail'
) }}
{%- set timeout_microseconds = var('session_timeout_minutes') * 60 * 1000000 %}
with events as (
    select classified.*
    from {{ ref('int_events__classified') }} as classified
    {{ join_affected('classified', 'classified.occurred_at') }}
    where
        classified.is_session_event
        and classified.exclusion_reason is null
        and (classified.device_key is not null or classified.source_session_id is not null)
        and classified.user_key is not null
),

-- A touch within a visit has a channel, a campaign and a content of its own, which brought nobody.
session_events as (
    select
        events.event_id,
        events.user_key,
        coalesce(events.device_key, events.user_key) as visitor_key,
        events.source_session_id,
        case when events.touch_type is null then events.channel else events.origin_channel end
            as channel,
        case when events.touch_type is null then events.campaign_id else events.origin_campaign end
            as campaign_id,
        case when events.touch_type is null then events.content_id end as content_id,
        events.page_path,
        events.referrer_host,
        events.device_type,
        events.country,
        events.region,
        events.city,
        events.engagement_seconds,
        events.occurred_at,
        -- What brought the visitor in, where the event says so.
        case
            when
                coalesce(
                    events.origin_source,
                    events.origin_medium,
                    events.origin_campaign,
                    events.click_id_kind
                ) is not null
                then {{ surrogate_key([
                    'events.origin_source', 'events.origin_medium',
                    'events.origin_campaign', 'events.click_id_kind'
                ]) }}
        end as campaign_marker
    from events
),

with_gaps as (
    select
        session_events.*,
        lag(occurred_at) over visit as previous_at
    from session_events
    window visit as (
        partition by user_key, visitor_key, source_session_id order by occurred_at, event_id
    )
),

-- Periods of activity: what inactivity alone separates.
with_periods as (
    select
        with_gaps.*,
        sum(
            case
                when previous_at is null then 1
                when source_session_id is not null then 0
                when
                    {{ microseconds('occurred_at') }} - {{ microseconds('previous_at') }}
                    > {{ timeout_microseconds }}
                    then 1
                else 0
            end
        ) over (
            partition by user_key, visitor_key, source_session_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as period_number
    from with_gaps
),

with_markers as (
    select
        with_periods.*,
        last_value(campaign_marker ignore nulls) over (
            partition by user_key, visitor_key, source_session_id, period_number
            order by occurred_at, event_id
            rows between unbounded preceding and 1 preceding
        ) as previous_marker,
        row_number() over (
            partition by user_key, visitor_key, source_session_id, period_number
            order by occurred_at, event_id
        ) as number_in_period
    from with_periods
),

with_sessions as (
    select
        with_markers.*,
        sum(
            case
                when number_in_period = 1 then 1
                when
                    source_session_id is null
                    and campaign_marker is distinct from coalesce(previous_marker, '')
                    and campaign_marker is not null then 1
                else 0
            end
        ) over (
            partition by user_key, visitor_key, source_session_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as session_number
    from with_markers
),

final as (
    select
        event_id,
        first_value(event_id) over session as first_event_id,
        user_key,
        visitor_key,
        source_session_id,
        channel,
        campaign_id,
        content_id,
        page_path,
        referrer_host,
        device_type,
        country,
        region,
        city,
        engagement_seconds,
        occurred_at,
        row_number() over session as event_number
    from with_sessions
    window session as (
        partition by user_key, visitor_key, source_session_id, session_number
        order by occurred_at, event_id
    )
)

select * from final
