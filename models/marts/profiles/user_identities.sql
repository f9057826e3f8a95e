-- One row per person x identifier.
with identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

final as (
    select
        user_key,
        identifier_type,
        -- Hashes are personal data too: they are published only where a business says so.
        {{ "identifier_hash" if var("publish_identifiers") else "cast(null as varchar)" }}
            as identifier_hash,
        row_number() over (
            partition by user_key
            order by first_seen_at nulls last, identifier_type, identifier_hash
        ) as identifier_number,
        first_seen_at,
        last_seen_at,
        first_seen_at as valid_from,
        cast(null as timestamp) as valid_to
    from identifiers
)

select * from final
