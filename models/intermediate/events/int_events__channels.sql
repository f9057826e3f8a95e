-- One row per distinct origin of events, with the channel that the rules give it.
-- The rules are tried once per origin, not once per event.
with origins as (
    select distinct
        origin_key,
        {{ origin_columns() | join(',\n        ') }}
    from {{ ref('int_events__deduplicated') }}
),

channel_rules as (
    select * from {{ ref('channel_rules') }}
),

-- An empty pattern matches everything; of the rules that match, the first counts.
matching_rules as (
    select
        origins.origin_key,
        channel_rules.channel,
        row_number() over (partition by origins.origin_key order by channel_rules.rule_order) as rule_number
    from origins
    inner join channel_rules
        on
            {{ matches("coalesce(origins.utm_source, '')", "coalesce(channel_rules.source_pattern, '')") }}
            and {{ matches("coalesce(origins.utm_medium, '')", "coalesce(channel_rules.medium_pattern, '')") }}
            and {{ matches("coalesce(origins.utm_campaign, '')", "coalesce(channel_rules.campaign_pattern, '')") }}
            and {{ matches("coalesce(origins.referrer_host, '')", "coalesce(channel_rules.referrer_pattern, '')") }}
            and {{ matches("coalesce(origins.click_id_kind, '')", "coalesce(channel_rules.click_id_pattern, '')") }}
),

final as (
    select
        origin_key,
        channel
    from matching_rules
    where rule_number = 1
)

select * from final
