-- One row per identifier, with the person it belongs to.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['identifier_type', 'identifier_hash'],
    on_schema_change='fail'
) }}
with nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

components as (
    select * from {{ ref('int_identity__components') }}
),

cut as (
    select * from {{ ref('int_identity__cut') }}
),

device_owners as (
    select * from {{ ref('int_identity__device_owners') }}
),

unlinked as (
    select * from {{ ref('int_identity__unlinked') }}
),

{%- if is_incremental() %}

-- What is cut, and who owns what is shared, is decided anew each night.
taken_in as (
    select node from nodes
    where changed_at >= {{ as_of() }}
    union
    select node from components
    where changed_at >= {{ as_of() }}
    union
    select node from cut
    union
    select node from unlinked
),
{%- endif %}

assigned as (
    select
        nodes.*,
        unlinked.reason as unlinked_reason,
        coalesce(
            cut.component_order, device_owners.component_order, components.component_order
        ) as component_order
    from nodes
    inner join components
        on nodes.node = components.node
    left join cut
        on nodes.node = cut.node
    left join device_owners
        on nodes.node = device_owners.node
    left join unlinked
        on nodes.node = unlinked.node
    {%- if is_incremental() %}
    where nodes.node in (select taken_in.node from taken_in)
    {%- endif %}
),

-- A person is named after the first-loaded of their identifiers, so the name stays while
-- identifiers are only added.
final as (
    select
        assigned.identifier_type,
        assigned.identifier_value,
        assigned.identifier_hash,
        {{ surrogate_key(['named_after.identifier_type', 'named_after.identifier_hash']) }}
            as user_key,
        assigned.unlinked_reason,
        assigned.first_seen_at,
        assigned.last_seen_at
    from assigned
    inner join nodes as named_after
        on assigned.component_order = named_after.load_order
)

select * from final
