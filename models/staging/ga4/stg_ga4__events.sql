-- One row per landed event of the BigQuery export of Google Analytics 4.
{%- set device_paths = {'category': '$.category'} %}
{%- set place_paths = {'country': '$.country', 'region': '$.region', 'city': '$.city'} %}
{%- set traffic_paths = {
    'utm_source': '$.manual_source',
    'utm_medium': '$.manual_medium',
    'utm_campaign': '$.manual_campaign_name',
    'utm_content': '$.manual_content',
    'utm_term': '$.manual_term',
    'campaign_id': '$.manual_campaign_id',
    'gclid': '$.gclid',
    'dclid': '$.dclid',
    'srsltid': '$.srsltid',
} %}
with source as (
    {{ released('ga4') }}
),

-- Each document is parsed once.
parsed as (
    select
        source.*,
        {{ ga4_params('event_params') }} as params,
        {{ json_texts('device', device_paths.values()) }} as device_texts,
        {{ json_texts('geo', place_paths.values()) }} as place_texts,
        {{ json_texts('collected_traffic_source', traffic_paths.values()) }} as traffic_texts
    from source
),

extracted as (
    select
        list_transform(params, lambda param: param.key) as param_names,
        list_transform(
            params,
            lambda param: coalesce(
                param.value.string_value,
                param.value.int_value,
                param.value.double_value,
                param.value.float_value
            )
        ) as param_values,
        {%- for texts, paths in {
            'device': device_paths, 'place': place_paths, 'traffic': traffic_paths
        }.items() %}
        {%- for name in paths %}
        {{ ga4_said(text_named(name, texts ~ '_texts', paths)) }} as {{ texts }}_{{ name }},
        {%- endfor %}
        {%- endfor %}
        parsed.*
    from parsed
),

renamed as (
    select
        ---------- keys
        -- The export has no id: an event is told by its sender, time, name, place in the bundle
        -- and parameters, which are the same in every format and in the intraday table.
        {{ surrogate_key([
            'stream_id', 'user_pseudo_id', 'event_timestamp', 'event_name',
            'event_bundle_sequence_id', 'batch_page_id', 'batch_ordering_id', 'batch_event_index',
            'list_sort(list_zip(param_names, param_values))'
        ]) }} as event_id,
        user_pseudo_id as anonymous_id,
        user_id,
        -- Numbered by device.
        user_pseudo_id || '.' || {{ ga4_param('ga_session_id') }} as session_id,
        traffic_campaign_id as campaign_id,
        {{ ga4_said(ga4_param('content_id')) }} as content_id,
        {{ ga4_said("coalesce(" ~ json_text('ecommerce', "'$.transaction_id'") ~ ", "
            ~ ga4_param('transaction_id') ~ ")") }} as order_id,
        traffic_gclid as gclid,
        traffic_dclid as dclid,
        traffic_srsltid as srsltid,
        ---------- text
        event_name,
        {{ ga4_param('page_location') }} as page_url,
        {{ ga4_param('page_referrer') }} as referrer_url,
        case lower(device_category) when 'smart tv' then 'tv' else lower(device_category) end
            as device_type,
        place_country as country,
        place_region as region,
        place_city as city,
        -- Exports from before collected_traffic_source have it in the parameters.
        {%- for column, older in {
            'utm_source': 'source',
            'utm_medium': 'medium',
            'utm_campaign': 'campaign',
            'utm_content': 'content',
            'utm_term': 'term',
        }.items() %}
        coalesce(traffic_{{ column }}, {{ ga4_said(ga4_param(older)) }}) as {{ column }},
        {%- endfor %}
        {{ ga4_said(ga4_param('currency')) }} as currency,
        cast(
            '{' || array_to_string(
                list_transform(
                    list_zip(param_names, param_values),
                    lambda pair: concat_ws(
                        ':', to_json(coalesce(pair[1], '')), coalesce(to_json(pair[2]), 'null')
                    )
                ),
                ','
            ) || '}' as json
        ) as properties,
        ---------- numbers
        coalesce(
            try_cast({{ json_text('ecommerce', "'$.purchase_revenue'") }} as decimal(18, 4)),
            try_cast({{ ga4_param('value') }} as decimal(18, 4))
        ) as value,
        try_cast({{ ga4_param('engagement_time_msec') }} as double) / 1000 as engagement_seconds,
        ---------- booleans
        case lower({{ json_text('privacy_info', "'$.analytics_storage'") }})
            when 'yes' then true
            when 'no' then false
        end as is_consented,
        ---------- times
        event_timestamp as occurred_at,
        event_timestamp as delivered_at,
        case
            when abs(event_server_timestamp_offset) < 3155760000000000
                then event_timestamp + to_microseconds(event_server_timestamp_offset)
        end as received_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from extracted
)

select * from renamed
