-- One row per landed call of the Segment Spec.
{%- set context_paths = {
    'user_agent': '$.userAgent',
    'ip': '$.ip',
    'timezone': '$.timezone',
    'page_url': '$.page.url',
    'referrer_url': '$.page.referrer',
    'utm_source': '$.campaign.source',
    'utm_medium': '$.campaign.medium',
    'utm_campaign': '$.campaign.name',
    'utm_content': '$.campaign.content',
    'utm_term': '$.campaign.term',
    'campaign_id': '$.campaign.id',
    'device_kind': '$.device.type',
    'device_model': '$.device.model',
    'country': '$.location.country',
    'region': '$.location.region',
    'city': '$.location.city',
    'session_id': '$.sessionId',
    'email': '$.traits.email',
    'phone': '$.traits.phone',
} %}
{%- set property_paths = {
    'url': '$.url',
    'referrer': '$.referrer',
    'order_id': '$.order_id',
    'product_id': '$.product_id',
    'quantity': '$.quantity',
    'revenue': '$.revenue',
    'total': '$.total',
    'value': '$.value',
    'currency': '$.currency',
    'campaign_id': '$.campaign_id',
    'content_id': '$.content_id',
    'promotion_id': '$.promotion_id',
    'email_id': '$.email_id',
    'template_id': '$.template_id',
    'tactic': '$.tactic',
    'is_personalized': '$.is_personalized',
    'experiment_id': '$.experiment_id',
    'variation_id': '$.variation_id',
    'variant_id': '$.variant_id',
    'email': '$.email',
} %}
{%- set trait_paths = {'email': '$.email', 'phone': '$.phone'} %}
with source as (
    {{ released('segment') }}
),

-- Each document is parsed once.
extracted as (
    select
        source.*,
        {{ json_texts('source.context', context_paths.values()) }} as context_texts,
        {{ json_texts('source.properties', property_paths.values()) }} as property_texts,
        {{ json_texts('source.traits', trait_paths.values()) }} as trait_texts
    from source
),

named as (
    select
        {%- for texts, paths in {
            'context': context_paths, 'property': property_paths, 'trait': trait_paths
        }.items() %}
        {%- for name in paths %}
        {{ text_named(name, texts ~ '_texts', paths) }} as {{ texts }}_{{ name }},
        {%- endfor %}
        {%- endfor %}
        extracted.*
    from extracted
),

renamed as (
    select
        ---------- keys
        message_id as event_id,
        anonymous_id,
        user_id,
        context_session_id as session_id,
        coalesce(property_campaign_id, context_campaign_id) as campaign_id,
        coalesce(property_content_id, property_promotion_id, property_email_id) as content_id,
        property_template_id as template_id,
        coalesce(property_variation_id, property_variant_id) as variant_id,
        property_experiment_id as experiment_id,
        property_product_id as product_id,
        property_order_id as order_id,
        ---------- text
        -- A track call has a name; every other call is named by its type.
        case when lower(type) = 'track' then coalesce(event, 'track') else lower(type) end
            as event_name,
        coalesce(trait_email, context_email, property_email) as email,
        coalesce(trait_phone, context_phone) as phone,
        coalesce(property_url, context_page_url) as page_url,
        coalesce(property_referrer, context_referrer_url) as referrer_url,
        context_user_agent as user_agent,
        context_ip as ip,
        case
            when lower(context_device_model) like '%ipad%' then 'tablet'
            when lower(context_device_kind) in ('ios', 'android') then 'mobile'
        end as device_type,
        context_country as country,
        context_region as region,
        context_city as city,
        context_timezone as timezone,
        context_utm_source as utm_source,
        context_utm_medium as utm_medium,
        context_utm_campaign as utm_campaign,
        context_utm_content as utm_content,
        context_utm_term as utm_term,
        property_tactic as tactic,
        property_currency as currency,
        properties,
        ---------- numbers
        try_cast(property_quantity as double) as quantity,
        coalesce(
            try_cast(property_revenue as decimal(18, 4)),
            try_cast(property_total as decimal(18, 4)),
            try_cast(property_value as decimal(18, 4))
        ) as value,
        ---------- booleans
        try_cast(property_is_personalized as boolean) as is_personalized,
        ---------- times
        -- With an original_timestamp beside it, the timestamp has been corrected already.
        coalesce(
            case when original_timestamp is not null then timestamp end,
            {{ corrected_moment(
                'coalesce(original_timestamp, timestamp)', 'sent_at', 'received_at'
            ) }},
            received_at
        ) as occurred_at,
        coalesce(original_timestamp, timestamp, received_at) as delivered_at,
        received_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from named
)

select * from renamed
