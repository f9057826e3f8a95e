-- One row per pair of identifiers that were seen together.
-- Of the identifiers of a combination, each is linked to the strongest one: enough to connect them
-- all.
{%- set types = identifier_types() %}
with observed as (
    select * from {{ ref('int_identity__observed') }}
),

nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

anchored as (
    select
        observed.*,
        case
            {%- for identifier_type in types %}
            when {{ identifier_type }} is not null then '{{ identifier_type }}'
            {%- endfor %}
        end as anchor_type,
        coalesce({{ types | join(', ') }}) as anchor_value
    from observed
),

pairs as (
    {%- for identifier_type in types[1:] %}
    select
        anchor_type,
        anchor_value,
        '{{ identifier_type }}' as linked_type,
        {{ identifier_type }} as linked_value,
        evidence_count,
        first_seen_at,
        last_seen_at
    from anchored
    where
        {{ identifier_type }} is not null
        and anchor_type <> '{{ identifier_type }}'
    union all
    {%- endfor %}
    -- An alias may say that two user ids are one person's; it counts where both are ids in use.
    select
        'user_id' as anchor_type,
        {{ normalise_identifier('user_id', 'user_id') }} as anchor_value,
        'user_id' as linked_type,
        {{ normalise_identifier('user_id', 'previous_user_id') }} as linked_value,
        1 as evidence_count,
        aliased_at as first_seen_at,
        aliased_at as last_seen_at
    from {{ ref('stg_segment__aliases') }}
    where
        aliased_at < {{ as_of() }}
        and {{ normalise_identifier('user_id', 'user_id') }}
        <> {{ normalise_identifier('user_id', 'previous_user_id') }}
),

final as (
    select
        anchors.node as source_node,
        linked.node as target_node,
        cast(sum(pairs.evidence_count) as bigint) as evidence_count,
        min(pairs.first_seen_at) as first_seen_at,
        max(pairs.last_seen_at) as last_seen_at
    from pairs
    inner join nodes as anchors
        on
            pairs.anchor_type = anchors.identifier_type
            and pairs.anchor_value = anchors.identifier_value
    inner join nodes as linked
        on
            pairs.linked_type = linked.identifier_type
            and pairs.linked_value = linked.identifier_value
    group by anchors.node, linked.node
)

select * from final
