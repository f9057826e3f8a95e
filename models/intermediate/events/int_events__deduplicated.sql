-- One row per event: the earliest received of the rows with its id, ties by file and row.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='event_id',
    meta={'affected': 'int_events__changed'},
    on_schema_change='fail'
) }}
{%- set tags = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_content'] %}
with landed as (
    select * from {{ ref('int_events__landed') }}
    where {{ only_affected('event_id', 'int_events__changed', 'event_id') }}
),

-- Few events come more than once: only their rows are put in order.
copied as (
    select event_id
    from landed
    group by event_id
    having count(*) > 1
),

copies as (
    select
        landed.file_seq,
        landed.row_number,
        row_number() over (
            partition by landed.event_id
            order by landed.received_at nulls last, landed.file_seq, landed.row_number
        ) as copy_number,
        count(*) over (partition by landed.event_id) as copies_count
    from landed
    inner join copied
        on landed.event_id = copied.event_id
),

first_copies as (
    select
        landed.*,
        coalesce(copies.copies_count, 1) as copies_count
    from landed
    left join copies
        on
            landed.file_seq = copies.file_seq
            and landed.row_number = copies.row_number
    where coalesce(copies.copy_number, 1) = 1
),

with_people as (
    {{ identified(
        'first_copies',
        ['user_id', 'email', 'phone', 'anonymous_id', 'device_id', 'click_id'],
        'occurred_at'
    ) }}
),

-- Each part of a URL is taken out once.
with_url_parts as (
    select
        {%- for tag in tags %}
        case when page_url like '%utm_%' then {{ url_parameter('page_url', tag) }} end
            as page_{{ tag }},
        {%- endfor %}
        {{ url_click_id('page_url') }} as page_click_id,
        {{ url_host('page_url') }} as page_host,
        {{ url_host('referrer_url') }} as referring_host,
        with_people.*
    from with_people
),

-- A page's own tags count where the event has none.
with_tags as (
    select
        {%- for tag in tags %}
        case
            when coalesce({{ tags | join(', ') }}) is not null then {{ tag }}
            else {{ url_decoded('page_' ~ tag) }}
        end as said_{{ tag }},
        {%- endfor %}
        with_url_parts.*
    from with_url_parts
),

named as (
    select
        with_tags.*,
        coalesce(event_names.event_name, lower(trim(with_tags.event_name))) as standard_name,
        -- Without its query string, which may hold anything about a person.
        split_part(split_part(with_tags.page_url, '?', 1), '#', 1) as page_address,
        lower(trim(with_tags.channel)) as source_channel,
        nullif(lower(trim(with_tags.said_utm_source)), '') as origin_source,
        nullif(lower(trim(with_tags.said_utm_medium)), '') as origin_medium,
        nullif(lower(trim(with_tags.said_utm_campaign)), '') as origin_campaign,
        coalesce(
            with_tags.click_id_name,
            nullif(lower(with_tags.page_click_id), ''),
            case when with_tags.has_click_id then 'click' end
        ) as click_id_kind,
        -- A referrer on the same site is the site itself.
        case
            when with_tags.referring_host = '' then null
            when
                with_tags.page_host in (
                    with_tags.referring_host, 'www.' || with_tags.referring_host
                )
                or 'www.' || with_tags.page_host = with_tags.referring_host
                then null
            else with_tags.referring_host
        end as referrer_host,
        coalesce(
            nullif(lower(trim(with_tags.device_type)), ''), user_agents.device_type
        ) as device_kind,
        user_agents.browser,
        user_agents.operating_system,
        user_agents.is_bot,
        coalesce(places.country_code, nullif(trim(with_tags.country), '')) as country_code,
        coalesce(places.region_code, nullif(trim(with_tags.region), '')) as region_code,
        anonymous_id_device.identifier_hash as device_key,
        {{ consent_given('with_tags.is_consented', 'analytics_consent') }}
            as is_analytics_consented,
        {{ consent_given('with_tags.is_consented', 'personalization_consent') }}
            as is_personalization_consented
    from with_tags
    {{ join_consent(
        'analytics', 'analytics_consent', 'with_tags.user_key', 'with_tags.occurred_at'
    ) }}
    {{ join_consent(
        'personalization', 'personalization_consent', 'with_tags.user_key', 'with_tags.occurred_at'
    ) }}
    left join {{ ref('event_names') }} as event_names
        on lower(trim(with_tags.event_name)) = event_names.vendor_name
    left join {{ ref('stg_landing__user_agents') }} as user_agents
        on with_tags.user_agent = user_agents.user_agent
    left join {{ ref('stg_landing__places') }} as places
        on
            coalesce(with_tags.country, '') = places.country
            and coalesce(with_tags.region, '') = places.region
    left join {{ ref('int_identity__identifiers') }} as anonymous_id_device
        on
            anonymous_id_device.identifier_type = 'anonymous_id'
            and anonymous_id_device.identifier_value
            = {{ normalise_identifier('anonymous_id', 'with_tags.anonymous_id') }}
),

final as (
    select
        ---------- keys
        event_id,
        user_key,
        device_key,
        session_id as source_session_id,
        coalesce(campaign_id, nullif(said_utm_campaign, '')) as campaign_id,
        ad_id,
        coalesce(content_id, nullif(said_utm_content, '')) as content_id,
        template_id,
        variant_id,
        experiment_id,
        product_id,
        order_id,
        ---------- text
        standard_name as event_name,
        {{ surrogate_key(origin_columns()) }} as origin_key,
        {%- for column in origin_columns() %}
        {{ column }},
        {%- endfor %}
        lower(trim(tactic)) as tactic,
        nullif(page_address, '') as page_path,
        device_kind as device_type,
        browser,
        operating_system,
        country_code as country,
        region_code as region,
        city,
        upper(trim(currency)) as currency,
        case
            when occurred_at >= {{ as_of() }} then 'not_yet'
            when not is_analytics_consented then 'no_consent'
            when is_bot then 'bot'
            when {{ is_internal('ip', 'page_host', 'user_key') }} then 'internal'
        end as exclusion_reason,
        ---------- numbers
        value,
        quantity,
        engagement_seconds,
        copies_count - 1 as duplicates_count,
        file_seq,
        row_number,
        ---------- booleans
        is_personalized,
        is_personalization_consented,
        ---------- times
        occurred_at,
        received_at
    from named
)

select * from final
