-- One row per distinct origin of events, with the channel that the rules give it.
-- The rules are tried once per origin, not once per event.
with origins as (
    select distinct
        origin_key,
        {{ origin_columns() | join(',\n        ') }}
    from {{ ref('int_events__deduplicated') }}
),

-- A visit comes from the source that its link is tagged with; without any tag, from its referrer.
with_sources as (
    select
        origins.*,
        case
            when origin_source is null and origin_medium is null then referrer_host
            else origin_source
        end as traffic_source
    from origins
),

traffic_sources as (
    select distinct traffic_source from with_sources
    where traffic_source is not null
),

source_names as (
    select
        traffic_source,
        {{ explode_list(source_names('traffic_source')) }} as source_name
    from traffic_sources
),

-- The longest name says most: mail.google.com is no search engine.
ranked_categories as (
    select
        source_names.traffic_source,
        channel_sources.category,
        row_number() over (
            partition by source_names.traffic_source
            order by length(source_names.source_name) desc, source_names.source_name
        ) as name_number
    from source_names
    inner join {{ ref('channel_sources') }} as channel_sources
        on source_names.source_name = channel_sources.source
),

final as (
    select
        with_sources.origin_key,
        ranked_categories.category as source_category,
        {{ channel_of({
            'category_pattern': 'ranked_categories.category',
            'source_pattern': 'with_sources.origin_source',
            'medium_pattern': 'with_sources.origin_medium',
            'campaign_pattern': 'with_sources.origin_campaign',
            'referrer_pattern': 'with_sources.referrer_host',
            'click_id_pattern': 'with_sources.click_id_kind',
        }) }} as channel
    from with_sources
    left join ranked_categories
        on
            with_sources.traffic_source = ranked_categories.traffic_source
            and ranked_categories.name_number = 1
)

select * from final
