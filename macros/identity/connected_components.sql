{#-
  Connected components of an undirected graph by randomised contraction (Boegeholz, Brand, Todor 2020): exact on any
  graph, in O(log n) rounds of min, group by and join.

  Each round, a bijection h(v) = (a v + b) mod P orders the vertices anew; every vertex points to whichever of itself
  and its neighbours comes first, edges are rewritten to what their ends point to, and loops and doubles fall away.
  When no edge is left, the maps of the rounds are composed backwards. h is decoded with the inverse of a, so there
  are no ties, and the multipliers come from fixed generators, so two runs do the same.

  Args:
    nodes: relation with node (integer, 0 <= node < 2147483647), each once.
    edges: relation with source_node and target_node, both in nodes.
  Returns: a select of node and component_node, the smallest node of its component.
  It runs statements while the model is built; compiling alone yields only the select.
-#}
{% macro connected_components(nodes, edges) -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set rounds = contract_components(edges) -%}
        {%- do compose_rounds(rounds) -%}
    {%- endif -%}
    with first_of_component as (
        select
            labelled.label,
            min(labelled.node) as component_node
        from component_labels as labelled
        group by labelled.label
    )

    select
        nodes.node,
        coalesce(first_of_component.component_node, nodes.node) as component_node
    from {{ nodes }} as nodes
    left join component_labels
        on nodes.node = component_labels.node
    left join first_of_component
        on component_labels.label = first_of_component.label
{%- endmacro %}


{#- Contract round by round into temporary maps component_map_1, _2, ...; returns how many there are. -#}
{% macro contract_components(edges, max_rounds=100) -%}
    {%- set prime = 2147483647 -%}
    {%- set state = namespace(rounds=0, multiplier=1043618065, shift=777767777, edges_count=0) -%}
    {%- do make_component_table('component_edges', 'select distinct least(source_node, target_node) as low, greatest(source_node, target_node) as high from ' ~ edges ~ ' where source_node <> target_node') -%}
    {%- set state.edges_count = count_component_edges() -%}
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
        {%- set state.edges_count = count_component_edges() -%}
    {%- endfor -%}
    {%- if state.edges_count > 0 -%}
        {{ exceptions.raise_compiler_error('connected_components: edges are left after ' ~ max_rounds ~ ' rounds') }}
    {%- endif -%}
    {{ return(state.rounds) }}
{%- endmacro %}


{#- Compose the maps from the last, smallest one back to the first, into component_labels(node, label). -#}
{% macro compose_rounds(rounds) -%}
    {%- do make_component_table('component_labels', 'select cast(null as bigint) as node, cast(null as bigint) as label where false') -%}
    {%- for round in range(rounds, 0, -1) -%}
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


{% macro count_component_edges() -%}
    {{ return(run_query('select count(*) from component_edges').columns[0].values()[0] | int) }}
{%- endmacro %}
