-- One row per identifier, with the first-loaded identifier that links connect it with.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node',
    on_schema_change='fail'
) }}
{%- set people = type_ranks(person_types()) %}
{%- set nodes = ref('int_identity__nodes') %}
{%- set links = ref('int_identity__links') %}
{%- set unlinked = ref('int_identity__unlinked') %}
{%- set known_components = ref('int_identity__known_components') %}
with solved as (
    {%- if is_incremental() %}
    {%- set released %}(
        select built.node from {{ this }} as built
        where not built.is_linked and built.node not in (select unlinked.node from {{ unlinked }} as unlinked)
    ){% endset %}
    {{ connected_components_after(
        built=this,
        nodes=nodes,
        links=links,
        new_links="(select source_node, target_node from " ~ links ~ " where changed_at >= " ~ as_of()
            ~ " or source_node in " ~ released ~ " or target_node in " ~ released ~ ")",
        loosened="(select node from " ~ this ~ " where is_linked and node in (select unlinked.node from " ~ unlinked ~ " as unlinked)"
            ~ " union all " ~ released ~ ")"
    ) }}
    {%- else %}
    {#- What is connected without devices is so already: one link each. -#}
    {{ connected_components(
        nodes=nodes,
        links="(select node as source_node, component_node as target_node from " ~ known_components
            ~ " union all select source_node, target_node from " ~ links ~ " where target_rank not in " ~ people ~ ")"
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
