-- One row per identifier that names a person, with the first-loaded one that it is connected to
-- without the help of a device.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node',
    on_schema_change='fail'
) }}
{%- set people = type_ranks(person_types()) %}
{%- set nodes %}(select node, load_order from {{ ref('int_identity__nodes') }} where type_rank in {{ people }}){% endset %}
{%- set guarded = ref('int_identity__guarded') %}
{%- set links %}
    select source_node, target_node from {{ ref('int_identity__edges') }}
    where
        target_rank in {{ people }}
        and source_node not in (select guarded.node from {{ guarded }} as guarded)
        and target_node not in (select guarded.node from {{ guarded }} as guarded)
{% endset %}
with solved as (
    {%- if is_incremental() %}
    {{ connected_components_after(
        built=this,
        nodes=nodes,
        links="(" ~ links ~ ")",
        new_links="(" ~ links ~ " and changed_at >= " ~ as_of() ~ ")",
        loosened="(select node from " ~ this ~ " where is_linked and node in (select guarded.node from " ~ guarded ~ " as guarded))"
    ) }}
    {%- else %}
    {{ connected_components(nodes=nodes, links="(" ~ links ~ ")") }}
    {%- endif %}
),

final as (
    select
        solved.node,
        solved.component_node,
        solved.component_order,
        guarded.node is null as is_linked,
        {{ changed_now() }} as changed_at
    from solved
    left join {{ guarded }} as guarded
        on solved.node = guarded.node
)

select * from final
