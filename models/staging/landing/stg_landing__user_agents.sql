-- One row per distinct user agent, with what it tells of device, browser and system.
with source as (
    select * from {{ source('raw', '_user_agents') }}
),

renamed as (
    select
        ---------- keys
        user_agent,
        ---------- text
        device_type,
        browser,
        operating_system,
        ---------- booleans
        is_bot
    from source
)

select * from renamed
