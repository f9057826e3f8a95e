-- One row per person x identifier x time in which it was theirs.
with identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

history as (
    select * from {{ ref('int_identity__history') }}
),

stints as (
    select * from {{ ref('int_identity__stints') }}
),

closed as (
    select
        history.old_user_key as user_key,
        history.identifier_type,
        history.identifier_hash,
        lag(history.changed_at) over (
            partition by history.identifier_type, history.identifier_hash
            order by history.changed_at, history.old_user_key
        ) as valid_from,
        history.changed_at as valid_to
    from history
),

last_changes as (
    select
        identifier_type,
        identifier_hash,
        max(changed_at) as changed_at
    from history
    group by identifier_type, identifier_hash
),

-- A device that different people used is the one's whose login is nearest in time.
owned as (
    select
        user_key,
        identifier_type,
        identifier_hash,
        started_at as valid_from,
        ended_at as valid_to
    from stints
    union all
    select
        identifiers.user_key,
        identifiers.identifier_type,
        identifiers.identifier_hash,
        last_changes.changed_at as valid_from,
        cast(null as timestamp) as valid_to
    from identifiers
    left join last_changes
        on
            identifiers.identifier_type = last_changes.identifier_type
            and identifiers.identifier_hash = last_changes.identifier_hash
    left join stints
        on
            identifiers.identifier_type = stints.identifier_type
            and identifiers.identifier_hash = stints.identifier_hash
    where stints.identifier_hash is null
    union all
    select
        user_key,
        identifier_type,
        identifier_hash,
        valid_from,
        valid_to
    from closed
),

final as (
    select
        owned.user_key,
        owned.identifier_type,
        -- Hashes are personal data too: they are published only where a business says so.
        {{ "owned.identifier_hash" if var("publish_identifiers") else "cast(null as varchar)" }}
            as identifier_hash,
        row_number() over (
            partition by owned.user_key
            order by
                identifiers.first_seen_at nulls last,
                owned.identifier_type,
                owned.identifier_hash,
                owned.valid_from nulls first,
                owned.valid_to nulls last
        ) as identifier_number,
        identifiers.first_seen_at,
        identifiers.last_seen_at,
        coalesce(owned.valid_from, identifiers.first_seen_at) as valid_from,
        owned.valid_to
    from owned
    left join identifiers
        on
            owned.identifier_type = identifiers.identifier_type
            and owned.identifier_hash = identifiers.identifier_hash
)

select * from final
