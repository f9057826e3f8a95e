-- One row per landed event, of whatever source: here the sources become one.
-- A sender's clock that was wrong when it sent is corrected by what it was off.
{{ config(materialized='view') }}
with landed as (
    {{ union_all(event_sources().values()) }}
),

final as (
    select
        ---------- keys
        event_id,
        anonymous_id,
        device_id,
        user_id,
        session_id,
        campaign_id,
        ad_id,
        content_id,
        template_id,
        variant_id,
        experiment_id,
        product_id,
        order_id,
        coalesce(click_id, {{ click_ids() | join(', ') }}) as click_id,
        ---------- text
        case
            {%- for click_id in click_ids() %}
            when {{ click_id }} is not null then '{{ click_id }}'
            {%- endfor %}
        end as click_id_name,
        click_id is not null as has_click_id,
        event_name,
        email,
        phone,
        page_url,
        referrer_url,
        user_agent,
        ip,
        device_type,
        country,
        region,
        city,
        timezone,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        channel,
        tactic,
        currency,
        properties,
        ---------- numbers
        quantity,
        value,
        coalesce(
            engagement_seconds,
            try_cast({{ json_text('properties', "'$.engagement_seconds'") }} as double)
        ) as engagement_seconds,
        ---------- booleans
        is_personalized,
        is_consented,
        ---------- times
        {{ corrected_moment('occurred_at', 'sent_at', 'received_at') }} as occurred_at,
        coalesce(delivered_at, occurred_at) as delivered_at,
        received_at,
        ---------- load
        file_seq,
        row_number
    from landed
)

select * from final
