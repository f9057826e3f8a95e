-- One row per single touch: a marketing or personalization event, or the start of a session; before
-- touches of one contact collapse.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'touched_at'},
    on_schema_change='fail'
) }}
with event_touches as (
    select
        'event|' || classified.event_id as candidate_id,
        classified.user_key,
        cast(null as varchar) as session_id,
        classified.touch_type,
        classified.channel,
        classified.campaign_id,
        classified.content_id,
        classified.template_id,
        classified.tactic,
        classified.default_tactic,
        classified.variant_id,
        classified.experiment_id,
        classified.device_type,
        classified.country,
        classified.region,
        classified.city,
        classified.base_weight,
        classified.engagement_seconds,
        classified.is_personalized,
        classified.is_personalization_consented,
        classified.is_paid,
        classified.is_direct,
        classified.is_eligible,
        classified.occurred_at as touched_at
    from {{ ref('int_events__classified') }} as classified
    {{ join_affected('classified', 'classified.occurred_at') }}
    where
        classified.touch_type is not null
        and classified.exclusion_reason is null
        and classified.user_key is not null
),

-- Channels that have a rule of their own for the start of a session.
closer_session_rules as (
    select channel
    from {{ ref('touchpoint_rules') }}
    where
        event_name = 'session_started'
        and channel is not null
),

session_touches as (
    select
        'session|' || sessions.session_id as candidate_id,
        sessions.user_key,
        sessions.session_id,
        session_rule.touch_type,
        sessions.channel,
        sessions.campaign_id,
        sessions.content_id,
        cast(null as varchar) as template_id,
        cast(null as varchar) as tactic,
        session_rule.default_tactic,
        cast(null as varchar) as variant_id,
        cast(null as varchar) as experiment_id,
        sessions.device_type,
        sessions.country,
        sessions.region,
        sessions.city,
        session_rule.base_weight,
        sessions.engagement_seconds,
        cast(null as boolean) as is_personalized,
        {{ consent_given('cast(null as boolean)', 'personalization_consent') }}
            as is_personalization_consented,
        sessions.is_paid,
        sessions.is_direct,
        session_rule.is_eligible,
        sessions.started_at as touched_at
    from {{ ref('int_sessions__sessionized') }} as sessions
    inner join {{ ref('touchpoint_rules') }} as session_rule
        on
            session_rule.event_name = 'session_started'
            and (
                sessions.channel = session_rule.channel
                or session_rule.channel is null
                and sessions.channel not in (
                    select closer.channel from closer_session_rules as closer
                )
            )
    {{ join_consent(
        'personalization', 'personalization_consent', 'sessions.user_key', 'sessions.started_at'
    ) }}
    {{ join_affected('sessions', 'sessions.started_at') }}
    where session_rule.touch_type is not null
),

touches as (
    select * from event_touches
    union all
    select * from session_touches
),

campaigns as (
    select * from {{ ref('int_touchpoints__campaigns') }}
),

tactics as (
    select * from {{ ref('tactics') }}
),

-- The touch itself says best whether and how it was personalised, then its campaign, then what its
-- kind implies.
with_tactics as (
    select
        touches.*,
        coalesce(touches.tactic, campaigns.tactic, touches.default_tactic, 'none') as said_tactic,
        coalesce(touches.is_personalized, campaigns.is_personalized) as is_said_personalized,
        campaigns.eligible_until
    from touches
    left join campaigns
        on touches.campaign_id = campaigns.campaign_id
),

final as (
    select
        with_tactics.candidate_id,
        with_tactics.user_key,
        with_tactics.session_id,
        with_tactics.touch_type,
        with_tactics.channel,
        with_tactics.campaign_id,
        with_tactics.content_id,
        with_tactics.template_id,
        with_tactics.variant_id,
        with_tactics.experiment_id,
        with_tactics.device_type,
        with_tactics.country,
        with_tactics.region,
        with_tactics.city,
        with_tactics.said_tactic as tactic,
        with_tactics.base_weight,
        with_tactics.engagement_seconds,
        -- Without consent to it, a touch is not used as a personalised one.
        coalesce(with_tactics.is_said_personalized, tactics.is_personalized, false)
        and with_tactics.is_personalization_consented as is_personalized,
        with_tactics.is_paid,
        with_tactics.is_direct,
        with_tactics.is_eligible,
        with_tactics.touched_at,
        with_tactics.eligible_until
    from with_tactics
    left join tactics
        on with_tactics.said_tactic = tactics.tactic
)

select * from final
