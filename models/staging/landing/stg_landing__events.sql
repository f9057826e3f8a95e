-- One row per landed event.
with source as (
    {{ released('events') }}
),

renamed as (
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
        click_id,
        {%- for click_id in click_ids() %}
        {{ click_id }},
        {%- endfor %}
        ---------- text
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
        extra,
        ---------- numbers
        quantity,
        value,
        ---------- booleans
        is_personalized,
        is_consented,
        ---------- times
        occurred_at,
        sent_at,
        received_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from source
)

select * from renamed
