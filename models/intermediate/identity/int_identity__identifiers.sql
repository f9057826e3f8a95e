-- One row per identifier, with the person it belongs to.
with nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

components as (
    select * from {{ ref('int_identity__components') }}
),

hashed as (
    select
        nodes.*,
        {{ hash_identifier('nodes.identifier_value') }} as identifier_hash
    from nodes
),

-- A person is named after the first-loaded of their identifiers, so the name stays while
-- identifiers are only added.
final as (
    select
        hashed.identifier_type,
        hashed.identifier_value,
        hashed.identifier_hash,
        {{ surrogate_key(['named_after.identifier_type', 'named_after.identifier_hash']) }}
            as user_key,
        hashed.first_seen_at,
        hashed.last_seen_at
    from hashed
    inner join components
        on hashed.node = components.node
    inner join hashed as named_after
        on components.component_node = named_after.node
)

select * from final
