-- One row per identifier that was seen with so many people that it tells nothing of one.
-- It is a shared mailbox by its name, was seen with more identifiers of one person's kind than
-- var max_people_per_identifier, or is a click that more than one device brought. It never becomes
-- less: sightings are only added.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node',
    on_schema_change='fail'
) }}
{%- set people = type_ranks(person_types()) %}
{%- set clicks = type_ranks(['click_id']) %}
{%- set edges = ref('int_identity__edges') %}
{%- if is_incremental() and execute and flags.WHICH in ('build', 'run') %}
    {#- A table of its own, whose size is known before the edges are searched for its nodes. -#}
    {%- set changed_edges = edges ~ ' where changed_at >= ' ~ as_of()
        ~ ' and (target_rank in ' ~ people ~ ' or target_rank in ' ~ clicks ~ ')' %}
    {%- do make_component_table('identity_met',
        'select source_node as node from ' ~ changed_edges
        ~ ' union select target_node from ' ~ changed_edges) %}
{%- endif %}
with nodes as (
    select * from {{ ref('int_identity__nodes') }}
    {%- if is_incremental() %}
    where changed_at >= {{ as_of() }}
    {%- endif %}
),

placeholders as (
    select * from {{ ref('identity_placeholders') }}
    where effect = 'unlinked'
),

mailboxes as (
    select nodes.node
    from nodes
    where
        lower(nodes.identifier_value) in (select placeholders.identifier_value from placeholders)
        or (
            nodes.identifier_type = 'email'
            and split_part(nodes.identifier_value, '@', 1) || '@'
            in (select placeholders.identifier_value from placeholders)
        )
),

neighbours as (
    {%- for this_end, other_end in [('source', 'target'), ('target', 'source')] %}
    select
        {{ this_end }}_node as node,
        {{ this_end }}_rank as type_rank,
        {{ other_end }}_rank as neighbour_rank
    from {{ edges }}
    where
        {{ this_end ~ '_node in (select met.node from identity_met as met)'
            if is_incremental() else 'true' }}
        and (
            ({{ this_end }}_rank in {{ people }} and {{ other_end }}_rank in {{ people }})
            or {{ this_end }}_rank in {{ clicks }}
        )
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

crowded as (
    select
        node,
        type_rank,
        neighbour_rank
    from neighbours
    group by node, type_rank, neighbour_rank
    having
        count(*) > case
            when type_rank in {{ clicks }} then 1
            else {{ var('max_people_per_identifier') }}
        end
),

guarded as (
    select
        node,
        'shared mailbox' as reason
    from mailboxes
    union all
    select
        node,
        'too many people' as reason
    from crowded
    where node not in (select mailboxes.node from mailboxes)
    group by node
),

final as (
    select
        node,
        reason,
        {{ changed_now() }} as changed_at
    from guarded
)

select * from final
