-- One row per device that different people used, or click that several devices brought, with the
-- person that was seen with it most; of several the one seen with it first, whatever was loaded
-- first.
{%- set people = type_ranks(person_types()) %}
with unlinked as (
    select unlinked.node
    from {{ ref('int_identity__unlinked') }} as unlinked
    inner join {{ ref('int_identity__nodes') }} as nodes
        on unlinked.node = nodes.node
    where nodes.type_rank not in {{ people }}
),

seen_with as (
    select
        edges.target_node as node,
        coalesce(cut.component_order, components.component_order) as component_order,
        sum(edges.evidence_count) as evidence_count,
        min(edges.first_seen_at) as first_seen_at,
        min(sources.identifier_type || '|' || sources.identifier_value) as first_identifier
    from {{ ref('int_identity__edges') }} as edges
    inner join unlinked
        on edges.target_node = unlinked.node
    inner join {{ ref('int_identity__nodes') }} as sources
        on edges.source_node = sources.node
    inner join {{ ref('int_identity__components') }} as components
        on
            edges.source_node = components.node
            and components.is_linked
    left join {{ ref('int_identity__cut') }} as cut
        on edges.source_node = cut.node
    group by edges.target_node, coalesce(cut.component_order, components.component_order)
),

ranked as (
    select
        *,
        row_number() over (
            partition by node
            order by evidence_count desc, first_seen_at asc nulls last, first_identifier asc
        ) as owner_rank
    from seen_with
),

final as (
    select
        node,
        component_order
    from ranked
    where owner_rank = 1
)

select * from final
