-- One row per device that different people used: they are known by identifiers of the same kind,
-- and nothing but the device connects them.
{%- set people = type_ranks(person_types()) %}
{%- set devices = type_ranks(device_types()) %}
{%- set built = as_built(this.name) %}
{%- set device_edges %}
    select
        source_node,
        target_node as device_node
    from {{ ref('int_identity__edges') }}
    where
        source_rank in {{ people }}
        and target_rank in {{ devices }}
{%- endset %}
with known_components as (
    select * from {{ ref('int_identity__known_components') }}
    where is_linked
),

{%- if built is not none %}

-- Devices that were seen with somebody, or with somebody of whom something changed: who is known by
-- one more identifier may be another than thought.
changed_components as (
    select distinct component_node
    from {{ ref('int_identity__known_components') }}
    where changed_at >= {{ as_of() }}
),

their_nodes as (
    select node
    from {{ ref('int_identity__known_components') }}
    where
        component_node in (select changed_components.component_node from changed_components)
),

looked_at as (
    select device_edges.device_node
    from ({{ device_edges }} and changed_at >= {{ as_of() }}) as device_edges
    union
    select device_edges.device_node
    from ({{ device_edges }}) as device_edges
    where device_edges.source_node in (select their_nodes.node from their_nodes)
),
{%- endif %}

used_by as (
    select distinct
        device_edges.device_node,
        known_components.component_node
    from ({{ device_edges }}) as device_edges
    inner join known_components
        on device_edges.source_node = known_components.node
    {%- if built is not none %}
    where device_edges.device_node in (select looked_at.device_node from looked_at)
    {%- endif %}
),

used_by_several as (
    select
        used_by.*,
        count(*) over (partition by device_node) as components_count
    from used_by
),

kinds as (
    select distinct
        known_components.component_node,
        nodes.type_rank
    from known_components
    inner join {{ ref('int_identity__nodes') }} as nodes
        on known_components.node = nodes.node
    where
        known_components.component_node in (
            select used_by_several.component_node
            from used_by_several
            where used_by_several.components_count > 1
        )
),

same_kind as (
    select
        used_by_several.device_node as node,
        kinds.type_rank
    from used_by_several
    inner join kinds
        on used_by_several.component_node = kinds.component_node
    where used_by_several.components_count > 1
    group by used_by_several.device_node, kinds.type_rank
    having count(*) > 1
),

shared as (
    select node from same_kind
    group by node
),

final as (
    select node from shared
    {%- if built is not none %}
    union all
    select node from {{ built }}
    where node not in (select looked_at.device_node from looked_at)
    {%- endif %}
)

select * from final
