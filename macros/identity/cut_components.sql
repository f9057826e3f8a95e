{#-
  Cut components that are too large, or hold two identifiers that a veto keeps apart: links are taken from the strongest to
  the weakest, and one that would bring together more than `max_counted` identifiers, or two that a veto keeps apart, is not
  taken. The strongest: without a device, then seen together more often, then between those loaded first. A component that
  breaks no rule would come out whole, so that only those that do are given.

  Such components are few and small; each link is one step, done here on numbers that were read from the warehouse.

  Args:
    nodes: relation with node, load_order and is_counted.
    links: relation with source_node, target_node, source_order, target_order, is_between_people and evidence_count.
    vetoes: relation with first_node and second_node.
    max_counted: counted identifiers that one person may have.
  Returns: a select of node and component_order, the smallest load_order of its part.
-#}
{% macro cut_components(nodes, links, vetoes, max_counted) -%}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set part, members, counted, against = {}, {}, {}, {} -%}
        {%- for row in run_query('select node, load_order, is_counted from ' ~ nodes ~ ' order by load_order').rows -%}
            {%- set order = row[1] | int -%}
            {%- do part.update({row[0] | int: order}) -%}
            {%- do members.update({order: [row[0] | int]}) -%}
            {%- do counted.update({order: 1 if row[2] else 0}) -%}
        {%- endfor -%}
        {%- for row in run_query('select first_node, second_node from ' ~ vetoes ~ ' union select second_node, first_node from ' ~ vetoes).rows -%}
            {%- do against.setdefault(row[0] | int, []).append(row[1] | int) -%}
        {%- endfor -%}
        {%- set taken = run_query('select source_node, target_node from ' ~ links
            ~ ' order by is_between_people desc, evidence_count desc, least(source_order, target_order), greatest(source_order, target_order)') -%}
        {%- for row in taken.rows -%}
            {%- set source, target = part[row[0] | int], part[row[1] | int] -%}
            {%- if source != target and counted[source] + counted[target] <= max_counted -%}
                {#- The smaller part is looked through and renamed, and the earlier name stays. -#}
                {%- set small, large = (source, target) if members[source] | length < members[target] | length else (target, source) -%}
                {%- set state = namespace(is_vetoed=false) -%}
                {%- for node in members[small] if node in against -%}
                    {%- for other in against[node] if part.get(other) == large -%}
                        {%- set state.is_vetoed = true -%}
                    {%- endfor -%}
                {%- endfor -%}
                {%- if not state.is_vetoed -%}
                    {%- for node in members[small] -%}
                        {%- do part.update({node: large}) -%}
                    {%- endfor -%}
                    {%- do members[large].extend(members.pop(small)) -%}
                    {%- do counted.update({large: counted[large] + counted.pop(small)}) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do make_component_table('component_parts', 'select cast(null as bigint) as node, cast(null as bigint) as part where false') -%}
        {%- for rows in part.items() | batch(10000) -%}
            {%- do run_query('insert into component_parts values ' ~ rows | join(', ')) -%}
        {%- endfor -%}
    {%- endif -%}
    select
        component_parts.node,
        min(nodes.load_order) over (partition by component_parts.part) as component_order
    from component_parts
    inner join {{ nodes }} as nodes
        on component_parts.node = nodes.node
{%- endmacro %}
