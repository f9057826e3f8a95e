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
        row_number()
            over (partition by origins.origin_key order by channel_rules.rule_order)
            as rule_number
    from origins
    inner join channel_rules
        on
            true
            {%- for column, pattern in {
                'origin_source': 'source_pattern',
                'origin_medium': 'medium_pattern',
                'origin_campaign': 'campaign_pattern',
                'referrer_host': 'referrer_pattern',
                'click_id_kind': 'click_id_pattern',
            }.items() %}
            and {{ matches(
                "coalesce(origins." ~ column ~ ", '')",
                "coalesce(channel_rules." ~ pattern ~ ", '')"
            ) }}
            {%- endfor %}
),

final as (
    select
        origin_key,
        channel
    from matching_rules
    where rule_number = 1
)

select * from final
