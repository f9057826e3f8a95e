-- One row per event: the earliest received of the rows with its id, ties by file and row.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='event_id',
    meta={'affected': 'int_events__changed'},
    on_schema_change='fail'
) }}
with landed as (
    select * from {{ ref('stg_landing__events') }}
    where {{ only_affected('event_id', 'int_events__changed', 'event_id') }}
),

ranked as (
    select
        landed.*,
        row_number() over (
            partition by event_id
            order by received_at nulls last, file_seq, row_number
        ) as copy_number,
        count(*) over (partition by event_id) as copies_count
    from landed
),

first_copies as (
    select * from ranked
    where copy_number = 1
),

with_people as (
    {{ identified(
        'first_copies',
        ['user_id', 'email', 'phone', 'anonymous_id', 'device_id', 'click_id'],
        'occurred_at'
    ) }}
),

named as (
    select
        with_people.*,
        coalesce(event_names.event_name, lower(trim(with_people.event_name))) as standard_name,
        -- Without its query string, which may hold anything about a person.
        split_part(split_part(with_people.page_url, '?', 1), '#', 1) as page_address,
        lower(trim(with_people.channel)) as source_channel,
        lower(trim(with_people.utm_source)) as origin_source,
        lower(trim(with_people.utm_medium)) as origin_medium,
        lower(trim(with_people.utm_campaign)) as origin_campaign,
        case when with_people.click_id is not null then 'click' end as click_id_kind,
        -- A referrer on the same host is the site itself.
        nullif(
            {{ url_host('with_people.referrer_url') }},
            {{ url_host('with_people.page_url') }}
        ) as referrer_host,
        anonymous_id_device.identifier_hash as device_key
    from with_people
    left join {{ ref('event_names') }} as event_names
        on lower(trim(with_people.event_name)) = event_names.vendor_name
    left join {{ ref('int_identity__identifiers') }} as anonymous_id_device
        on
            anonymous_id_device.identifier_type = 'anonymous_id'
            and anonymous_id_device.identifier_value
            = {{ normalise_identifier('anonymous_id', 'with_people.anonymous_id') }}
),

final as (
    select
        ---------- keys
        event_id,
        user_key,
        device_key,
        session_id as source_session_id,
        coalesce(campaign_id, utm_campaign) as campaign_id,
        ad_id,
        coalesce(content_id, utm_content) as content_id,
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
        lower(device_type) as device_type,
        country,
        region,
        city,
        upper(trim(currency)) as currency,
        case
            when occurred_at >= {{ as_of() }} then 'not_yet'
            when is_consented = false then 'no_consent'
        end as exclusion_reason,
        ---------- numbers
        value,
        quantity,
        try_cast({{ json_text('properties', "'$.engagement_seconds'") }} as double)
            as engagement_seconds,
        copies_count - 1 as duplicates_count,
        file_seq,
        row_number,
        ---------- booleans
        is_personalized,
        ---------- times
        occurred_at,
        received_at
    from named
)

select * from final
