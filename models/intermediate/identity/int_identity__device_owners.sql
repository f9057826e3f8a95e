-- One row per device that different people used, or click that several devices brought, with the
-- person that was seen with it most.
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
        sum(edges.evidence_count) as evidence_count
    from {{ ref('int_identity__edges') }} as edges
    inner join unlinked
        on edges.target_node = unlinked.node
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
            partition by node order by evidence_count desc, component_order asc
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
