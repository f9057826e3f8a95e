{#-
  Connected components of an undirected graph by randomised contraction (Boegeholz, Brand, Todor 2020): exact on any
  graph, in O(log n) rounds of min, group by and join.

  Each round, a bijection h(v) = (a v + b) mod P orders the vertices anew; every vertex points to whichever of itself
  and its neighbours comes first, edges are rewritten to what their ends point to, and loops and doubles fall away.
  When no edge is left, the maps of the rounds are composed backwards. h is decoded with the inverse of a, so there
  are no ties, and the multipliers come from fixed generators, so two runs do the same.

  Args:
    nodes: relation or subquery with node (integer, 0 <= node < 2147483647) and load_order, each once.
    links: relation or subquery with source_node and target_node, both in nodes.
  Returns: a select of node, component_node and component_order: the node of its component with the smallest load_order,
  and that load_order.
  It runs statements while the model is built; compiling alone yields only the select.
-#}
{% macro connected_components(nodes, links) -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- do label_components(links) -%}
        {%- do make_component_table('component_labelled',
            'select nodes.node, nodes.load_order, component_labels.label from ' ~ nodes ~ ' as nodes'
            ~ ' left join component_labels on nodes.node = component_labels.node') -%}
        {#- Those without a neighbour, about half in customer data, are named without grouping. -#}
        {%- do make_component_table('component_names',
            'select label, min_by(node, load_order) as component_node, min(load_order) as component_order'
            ~ ' from component_labelled where label is not null group by label') -%}
    {%- endif -%}
    select
        component_labelled.node,
        coalesce(component_names.component_node, component_labelled.node) as component_node,
        coalesce(component_names.component_order, component_labelled.load_order) as component_order
    from component_labelled
    left join component_names
        on component_labelled.label = component_names.label
{%- endmacro %}


{#-
  The same after something changed, at the cost of what changed: only the rows that are new or others than `built`.

  A component that lost nothing is one vertex; one of which a node stopped or began to link is dissolved into its nodes and
  solved again with the links that are left. The graph that is contracted is that small one.

  Args:
    built: relation with node, component_node, component_order and is_linked, as they were.
    nodes: relation or subquery as of connected_components, as they are; nodes are only ever added.
    new_nodes: subquery of those of the nodes that may be new, or loaded earlier than was known.
    edges: relation or subquery with source_node and target_node, also of nodes that do not link; only ever added.
    new_edges: subquery of those of the edges that may be new.
    unlinked: relation with node: those that do not link.
-#}
{% macro connected_components_after(built, nodes, new_nodes, edges, new_edges, unlinked) -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set is_unlinked = 'in (select unlinked.node from ' ~ unlinked ~ ' as unlinked)' -%}
        {%- do make_component_table('component_freed', 'select node, component_node from ' ~ built ~ ' where not is_linked and node not ' ~ is_unlinked) -%}
        {%- do make_component_table('component_dissolved',
            'select node, component_node from ' ~ built ~ ' where component_node in (select component_node from '
            ~ built ~ ' where is_linked and node ' ~ is_unlinked ~ ') union all select node, component_node from component_freed') -%}
        {%- do make_component_table('component_new_links', 'select source_node, target_node from ' ~ new_edges ~ ' as new_edges') -%}
        {%- if count_component_rows('component_freed') > 0 -%}
            {%- do run_query('insert into component_new_links select source_node, target_node from ' ~ edges ~ ' as edges'
                ~ ' where source_node in (select node from component_freed) or target_node in (select node from component_freed)') -%}
        {%- endif -%}
        {%- do run_query('delete from component_new_links where source_node ' ~ is_unlinked ~ ' or target_node ' ~ is_unlinked) -%}
        {%- do make_component_table('component_touched',
            'select node from ' ~ new_nodes ~ ' as new_nodes union select node from component_dissolved'
            ~ ' union select source_node from component_new_links union select target_node from component_new_links') -%}
        {%- do make_component_table('component_vertices',
            'select nodes.node, nodes.load_order, built.component_node as old_node, built.component_order as old_order,'
            ~ ' built.node is null or dissolved.node is not null as is_alone,'
            ~ ' case when built.node is null or dissolved.node is not null then nodes.node else built.component_node end as vertex'
            ~ ' from component_touched inner join ' ~ nodes ~ ' as nodes on component_touched.node = nodes.node'
            ~ ' left join ' ~ built ~ ' as built on nodes.node = built.node'
            ~ ' left join component_dissolved as dissolved on nodes.node = dissolved.node') -%}
        {%- do make_component_table('component_small_links',
            'select sources.vertex as source_node, targets.vertex as target_node from component_new_links as new_links'
            ~ ' inner join component_vertices as sources on new_links.source_node = sources.node'
            ~ ' inner join component_vertices as targets on new_links.target_node = targets.node') -%}
        {%- if count_component_rows('component_dissolved') > 0 -%}
            {%- do run_query('delete from component_dissolved where node ' ~ is_unlinked) -%}
            {%- do run_query('insert into component_small_links select edges.source_node, edges.target_node from ' ~ edges ~ ' as edges'
                ~ ' inner join component_dissolved as sources on edges.source_node = sources.node'
                ~ ' inner join component_dissolved as targets on edges.target_node = targets.node') -%}
        {%- endif -%}
        {%- do label_components('component_small_links') -%}
        {#- The first of the nodes that were looked at and of those that name untouched components. -#}
        {%- do make_component_table('component_labelled',
            'select vertices.*, coalesce(component_labels.label, vertices.vertex) as label from component_vertices as vertices'
            ~ ' left join component_labels on vertices.vertex = component_labels.node') -%}
        {%- do make_component_table('component_names',
            'select label, min_by(node, load_order) as component_node, min(load_order) as component_order from ('
            ~ 'select label, node, load_order from component_labelled'
            ~ ' union all select label, old_node, old_order from component_labelled where not is_alone'
            ~ ') as candidates group by label') -%}
        {%- do make_component_table('component_renamed',
            'select distinct labelled.vertex, labelled.is_alone, names.component_node, names.component_order from component_labelled as labelled'
            ~ ' inner join component_names as names on labelled.label = names.label'
            ~ ' where labelled.is_alone or names.component_node <> labelled.old_node or names.component_order <> labelled.old_order') -%}
    {%- endif -%}
    select
        built.node,
        renamed.component_node,
        renamed.component_order
    from {{ built }} as built
    inner join component_renamed as renamed
        on
            built.component_node = renamed.vertex
            and not renamed.is_alone
    union all
    select
        vertex as node,
        component_node,
        component_order
    from component_renamed
    where is_alone
{%- endmacro %}


{#- Contract the links into component_labels(node, label): one row per node with a neighbour. -#}
{% macro label_components(links, max_rounds=100) -%}
    {%- set prime = 2147483647 -%}
    {%- set state = namespace(rounds=0, multiplier=1043618065, shift=777767777, edges_count=0) -%}
    {%- do make_component_table('component_edges', 'select source_node as low, target_node as high from ' ~ links ~ ' as links where source_node <> target_node') -%}
    {%- set state.edges_count = count_component_rows('component_edges') -%}
    {%- for _ in range(max_rounds) if state.edges_count > 0 -%}
        {%- set state.rounds = state.rounds + 1 -%}
        {%- set state.multiplier = (state.multiplier * 48271 + 11) % (prime - 1) + 1 -%}
        {%- set state.shift = (state.shift * 69621 + 12345) % prime -%}
        {%- set inverse = modular_inverse(state.multiplier, prime) | int -%}
        {%- set map = 'component_map_' ~ state.rounds -%}
        {%- do make_component_table(map,
            'select vertex, (((least(best, ' ~ component_order('vertex', state, prime) ~ ') - ' ~ state.shift ~ ' + ' ~ prime ~ ') % ' ~ prime ~ ') * ' ~ inverse ~ ') % ' ~ prime ~ ' as representative'
            ~ ' from (select vertex, min(neighbour_order) as best from ('
            ~ 'select low as vertex, ' ~ component_order('high', state, prime) ~ ' as neighbour_order from component_edges'
            ~ ' union all select high, ' ~ component_order('low', state, prime) ~ ' from component_edges'
            ~ ') as neighbours group by vertex) as chosen') -%}
        {%- do make_component_table('component_edges',
            'select distinct least(low_map.representative, high_map.representative) as low, greatest(low_map.representative, high_map.representative) as high'
            ~ ' from component_edges inner join ' ~ map ~ ' as low_map on low_map.vertex = component_edges.low'
            ~ ' inner join ' ~ map ~ ' as high_map on high_map.vertex = component_edges.high'
            ~ ' where low_map.representative <> high_map.representative') -%}
        {%- set state.edges_count = count_component_rows('component_edges') -%}
    {%- endfor -%}
    {%- if state.edges_count > 0 -%}
        {{ exceptions.raise_compiler_error('label_components: edges are left after ' ~ max_rounds ~ ' rounds') }}
    {%- endif -%}
    {#- Compose the maps from the last, smallest one back to the first. -#}
    {%- do make_component_table('component_labels', 'select cast(null as bigint) as node, cast(null as bigint) as label where false') -%}
    {%- for round in range(state.rounds, 0, -1) -%}
        {%- do make_component_table('component_labels',
            'select map.vertex as node, coalesce(later.label, map.representative) as label from component_map_' ~ round
            ~ ' as map left join component_labels as later on later.node = map.representative') -%}
        {%- do run_query('drop table component_map_' ~ round) -%}
    {%- endfor -%}
    {%- do run_query('drop table component_edges') -%}
{%- endmacro %}


{#- The place of a vertex in this round's order. -#}
{% macro component_order(vertex, state, prime) -%}
    {{ return('(' ~ state.multiplier ~ ' * cast(' ~ vertex ~ ' as bigint) + ' ~ state.shift ~ ') % ' ~ prime) }}
{%- endmacro %}


{#- Inverse of a modulo a prime, by the extended Euclidean algorithm. -#}
{% macro modular_inverse(value, prime) -%}
    {%- set euclid = namespace(r0=prime, r1=value, t0=0, t1=1) -%}
    {%- for _ in range(64) if euclid.r1 != 0 -%}
        {%- set quotient = euclid.r0 // euclid.r1 -%}
        {%- set remainder = euclid.r0 - quotient * euclid.r1 -%}
        {%- set factor = euclid.t0 - quotient * euclid.t1 -%}
        {%- set euclid.r0 = euclid.r1 -%}
        {%- set euclid.t0 = euclid.t1 -%}
        {%- set euclid.r1 = remainder -%}
        {%- set euclid.t1 = factor -%}
    {%- endfor -%}
    {{ return(euclid.t0 % prime) }}
{%- endmacro %}


{% macro make_component_table(name, sql) -%}
    {%- do run_query('create or replace temp table ' ~ name ~ ' as ' ~ sql) -%}
{%- endmacro %}


{% macro count_component_rows(name) -%}
    {{ return(run_query('select count(*) from ' ~ name).columns[0].values()[0] | int) }}
{%- endmacro %}
