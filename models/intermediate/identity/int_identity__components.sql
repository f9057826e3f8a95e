-- One row per identifier, with the first-loaded identifier that links connect it with.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node',
    on_schema_change='fail'
) }}
{%- set people = type_ranks(person_types()) %}
{%- set nodes = ref('int_identity__nodes') %}
{%- set edges = ref('int_identity__edges') %}
{%- set links = ref('int_identity__links') %}
{%- set unlinked = ref('int_identity__unlinked') %}
{%- set known_components = ref('int_identity__known_components') %}
with solved as (
    {%- if is_incremental() %}
    {{ connected_components_after(
        built=this,
        nodes=nodes,
        new_nodes='(select node from ' ~ nodes ~ ' where changed_at >= ' ~ as_of() ~ ')',
        edges=edges,
        new_edges='(select source_node, target_node from ' ~ edges ~ ' where changed_at >= ' ~ as_of() ~ ')',
        unlinked=unlinked
    ) }}
    {%- else %}
    {#- What is connected without devices is so already: one link each. -#}
    {{ connected_components(
        nodes=nodes,
        links='(select node as source_node, component_node as target_node from ' ~ known_components
            ~ ' where node <> component_node union all select source_node, target_node from ' ~ links
            ~ ' where target_rank not in ' ~ people ~ ')'
    ) }}
    {%- endif %}
),

final as (
    select
        solved.node,
        solved.component_node,
        solved.component_order,
        unlinked.node is null as is_linked,
        {{ changed_now() }} as changed_at
    from solved
    left join {{ unlinked }} as unlinked
        on solved.node = unlinked.node
)

select * from final
