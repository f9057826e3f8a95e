-- One row per event, with its channel and what the touchpoint rules say of it.
with events as (
    select * from {{ ref('int_events__deduplicated') }}
),

origin_channels as (
    select * from {{ ref('int_events__channels') }}
),

touchpoint_rules as (
    select * from {{ ref('touchpoint_rules') }}
),

channels as (
    select * from {{ ref('channels') }}
),

campaigns as (
    select * from {{ ref('int_touchpoints__campaigns') }}
),

-- The channel that the event itself names; for a marketing event the one of its campaign, then the
-- one its kind implies; else the one of its origin.
with_channels as (
    select
        events.*,
        coalesce(
            events.source_channel,
            case when any_channel.event_name is not null then campaigns.channel end,
            any_channel.default_channel,
            origin_channels.channel
        ) as channel,
        origin_channels.channel as origin_channel
    from events
    inner join origin_channels
        on events.origin_key = origin_channels.origin_key
    left join touchpoint_rules as any_channel
        on
            events.event_name = any_channel.event_name
            and any_channel.channel is null
    left join campaigns
        on events.campaign_id = campaigns.campaign_id
),

-- A rule for the event's channel takes the place of the rule for all channels, as a whole.
final as (
    select
        with_channels.event_id,
        with_channels.user_key,
        with_channels.device_key,
        with_channels.source_session_id,
        with_channels.campaign_id,
        with_channels.ad_id,
        with_channels.content_id,
        with_channels.template_id,
        with_channels.variant_id,
        with_channels.experiment_id,
        with_channels.product_id,
        with_channels.order_id,
        with_channels.event_name,
        with_channels.channel,
        with_channels.origin_channel,
        with_channels.origin_source,
        with_channels.origin_medium,
        with_channels.origin_campaign,
        with_channels.click_id_kind,
        with_channels.tactic,
        with_channels.page_path,
        with_channels.referrer_host,
        with_channels.device_type,
        with_channels.country,
        with_channels.region,
        with_channels.city,
        with_channels.currency,
        with_channels.exclusion_reason,
        with_channels.value,
        with_channels.quantity,
        with_channels.engagement_seconds,
        with_channels.duplicates_count,
        with_channels.is_personalized,
        with_channels.is_personalization_consented,
        with_channels.occurred_at,
        with_channels.received_at,
        {%- for column, otherwise in {
            'touch_type': 'null',
            'is_eligible': 'false',
            'base_weight': '0',
            'default_tactic': "'none'",
            'is_session_event': 'true',
        }.items() %}
        case
            when this_channel.event_name is not null then this_channel.{{ column }}
            when any_channel.event_name is not null then any_channel.{{ column }}
            else {{ otherwise }}
        end as {{ column }},
        {%- endfor %}
        coalesce(channels.is_paid, false) as is_paid,
        coalesce(channels.is_direct, false) as is_direct
    from with_channels
    left join touchpoint_rules as this_channel
        on
            with_channels.event_name = this_channel.event_name
            and with_channels.channel = this_channel.channel
    left join touchpoint_rules as any_channel
        on
            with_channels.event_name = any_channel.event_name
            and any_channel.channel is null
    left join channels
        on with_channels.channel = channels.channel
)

select * from final
