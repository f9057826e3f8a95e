-- One row per identifier that the night found with another person than the last one, and why.
-- merge: all of a person became part of another; split: a part became a person of its own; moved: a
-- part went from one person to another; renamed: the same person under another key; removed: it is
-- no more in the data.
with identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

built_identifiers as (
    select * from {{ source('built', 'built_identifiers') }}
),

nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

cut as (
    select * from {{ ref('int_identity__cut') }}
),

changed as (
    select
        built_identifiers.identifier_type,
        built_identifiers.identifier_hash,
        built_identifiers.user_key as old_user_key,
        identifiers.user_key as new_user_key,
        identifiers.unlinked_reason
    from built_identifiers
    left join identifiers
        on
            built_identifiers.identifier_type = identifiers.identifier_type
            and built_identifiers.identifier_hash = identifiers.identifier_hash
    where identifiers.user_key is distinct from built_identifiers.user_key
),

counted as (
    select
        old_user_key,
        count(distinct new_user_key) as new_keys_count
    from changed
    group by old_user_key
),

with_kinds as (
    select
        changed.*,
        changed.old_user_key in (select identifiers.user_key from identifiers)
        or counted.new_keys_count > 1 as is_part,
        changed.new_user_key in (select built_identifiers.user_key from built_identifiers)
            as is_known
    from changed
    inner join counted
        on changed.old_user_key = counted.old_user_key
),

-- The links between what was the old person and what was not.
changed_nodes as (
    select
        with_kinds.old_user_key,
        with_kinds.new_user_key,
        nodes.node
    from with_kinds
    inner join nodes
        on
            with_kinds.identifier_type = nodes.identifier_type
            and with_kinds.identifier_hash = nodes.identifier_hash
    where not with_kinds.is_part
),

joining_links as (
    {%- for this_end, other_end in [('source', 'target'), ('target', 'source')] %}
    select
        changed_nodes.old_user_key,
        links.source_node,
        links.target_node,
        links.evidence_count,
        links.first_seen_at
    from {{ ref('int_identity__links') }} as links
    inner join changed_nodes
        on links.{{ this_end }}_node = changed_nodes.node
    left join changed_nodes as same_person_nodes
        on
            links.{{ other_end }}_node = same_person_nodes.node
            and changed_nodes.old_user_key = same_person_nodes.old_user_key
    where same_person_nodes.node is null
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

ranked_links as (
    select
        joining_links.*,
        sources.identifier_type || ' and ' || targets.identifier_type as evidence,
        row_number() over (
            partition by joining_links.old_user_key
            order by
                joining_links.evidence_count desc,
                joining_links.first_seen_at asc nulls last,
                sources.load_order asc,
                targets.load_order asc
        ) as link_rank
    from joining_links
    inner join nodes as sources
        on joining_links.source_node = sources.node
    inner join nodes as targets
        on joining_links.target_node = targets.node
),

-- What keeps the parts of a person apart.
parted as (
    select
        with_kinds.old_user_key,
        min(coalesce(cut.reason, with_kinds.unlinked_reason)) as reason
    from with_kinds
    left join nodes
        on
            with_kinds.identifier_type = nodes.identifier_type
            and with_kinds.identifier_hash = nodes.identifier_hash
    left join cut
        on nodes.node = cut.node
    where with_kinds.is_part
    group by with_kinds.old_user_key
),

final as (
    select
        with_kinds.identifier_type,
        with_kinds.identifier_hash,
        with_kinds.old_user_key,
        with_kinds.new_user_key,
        case
            when with_kinds.new_user_key is null then 'removed'
            when with_kinds.is_part and with_kinds.is_known then 'moved'
            when with_kinds.is_part then 'split'
            when with_kinds.is_known then 'merge'
            else 'renamed'
        end as kind,
        case
            when with_kinds.new_user_key is null then 'no longer in the data'
            when with_kinds.is_part then coalesce(parted.reason, 'other evidence')
            when with_kinds.is_known then 'seen together'
            else 'an earlier identifier'
        end as reason,
        ranked_links.evidence,
        ranked_links.evidence_count,
        ranked_links.first_seen_at as evidence_first_seen_at,
        {{ as_of() }} as changed_at
    from with_kinds
    left join parted
        on with_kinds.old_user_key = parted.old_user_key
    left join ranked_links
        on
            with_kinds.old_user_key = ranked_links.old_user_key
            and ranked_links.link_rank = 1
)

select * from final
