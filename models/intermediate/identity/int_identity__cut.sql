-- One row per identifier of a component that may not be one person, with the part that it came to.
-- Such a component has more identifiers than var max_identifiers_per_user (clicks are not counted),
-- or two of which a veto says that they are not one person's.
{%- set built = as_built(this.name) %}
{%- set components = ref('int_identity__components') %}
{%- set nodes = ref('int_identity__nodes') %}
{%- set links = ref('int_identity__links') %}
{%- set vetoes = ref('int_identity__vetoes') %}
{%- set clicks = type_ranks(['click_id']) %}
{%- if execute and flags.WHICH in ('build', 'run') %}
    {#- What was small enough and did not change still is. -#}
    {%- do make_component_table('component_looked_at', 'select distinct component_node from ' ~ components
        ~ ((' where changed_at >= ' ~ as_of() ~ ' or node in (select node from ' ~ built ~ ')') if built is not none else '')) %}
    {%- do make_component_table('component_broken',
        "select component_node, 'too many identifiers' as reason from " ~ components ~ ' as components inner join ' ~ nodes ~ ' as nodes using (node)'
        ~ ' where component_node in (select component_node from component_looked_at) and nodes.type_rank not in ' ~ clicks
        ~ ' group by component_node having count(*) > ' ~ var('max_identifiers_per_user')) %}
    {%- do run_query(
        "insert into component_broken select distinct firsts.component_node, 'veto' from " ~ vetoes ~ ' as vetoes'
        ~ ' inner join ' ~ components ~ ' as firsts on vetoes.first_node = firsts.node'
        ~ ' inner join ' ~ components ~ ' as seconds on vetoes.second_node = seconds.node'
        ~ ' where firsts.component_node = seconds.component_node and firsts.component_node not in (select component_node from component_broken)') %}
    {%- do make_component_table('component_broken_nodes',
        'select node, component_node, load_order, type_rank not in ' ~ clicks ~ ' as is_counted from ' ~ components ~ ' as components inner join ' ~ nodes ~ ' as nodes using (node)'
        ~ ' where component_node in (select component_node from component_broken)') %}
    {%- do make_component_table('component_broken_links',
        'select links.source_node, links.target_node, sources.load_order as source_order, targets.load_order as target_order, links.evidence_count,'
        ~ ' links.target_rank in ' ~ type_ranks(person_types()) ~ ' as is_between_people from ' ~ links ~ ' as links'
        ~ ' inner join component_broken_nodes as sources on links.source_node = sources.node'
        ~ ' inner join component_broken_nodes as targets on links.target_node = targets.node') %}
{%- endif %}
with cut as (
    {{ cut_components(
        'component_broken_nodes',
        'component_broken_links',
        vetoes,
        var('max_identifiers_per_user')
    ) }}
),

final as (
    select
        cut.node,
        cut.component_order,
        broken_nodes.component_node as whole_node,
        broken.reason
    from cut
    inner join component_broken_nodes as broken_nodes
        on cut.node = broken_nodes.node
    inner join component_broken as broken
        on broken_nodes.component_node = broken.component_node
)

select * from final
