-- One row per distinct country with region, as delivered, with their codes.
with source as (
    select * from {{ source('raw', '_places') }}
),

renamed as (
    select
        ---------- keys
        country,
        region,
        ---------- text
        country_code,
        region_code
    from source
)

select * from renamed
