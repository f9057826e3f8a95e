-- One row per identifier that names a person, with the first-loaded one that it is connected to
-- without the help of a device.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node',
    on_schema_change='fail'
) }}
{%- set people = type_ranks(person_types()) %}
{%- set guarded = ref('int_identity__guarded') %}
{%- set nodes = 'select node, load_order from ' ~ ref('int_identity__nodes')
    ~ ' where type_rank in ' ~ people %}
{%- set edges = 'select source_node, target_node from ' ~ ref('int_identity__edges')
    ~ ' where target_rank in ' ~ people %}
{%- set is_new = ' and changed_at >= ' ~ as_of() %}
with solved as (
    {%- if is_incremental() %}
    {{ connected_components_after(
        built=this,
        nodes='(' ~ nodes ~ ')',
        new_nodes='(' ~ nodes ~ is_new ~ ')',
        edges='(' ~ edges ~ ')',
        new_edges='(' ~ edges ~ is_new ~ ')',
        unlinked=guarded
    ) }}
    {%- else %}
    {%- set is_guarded = 'in (select guarded.node from ' ~ guarded ~ ' as guarded)' %}
    {{ connected_components(
        nodes='(' ~ nodes ~ ')',
        links='(' ~ edges ~ ' and source_node not ' ~ is_guarded ~ ' and target_node not ' ~ is_guarded ~ ')'
    ) }}
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
