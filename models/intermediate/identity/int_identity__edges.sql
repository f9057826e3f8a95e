-- One row per pair of identifiers that were seen together, the stronger kind as the source.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['source_node', 'target_node'],
    on_schema_change='fail'
) }}
-- depends_on: {{ ref('int_nights__changed_files') }}
with evidence as (
    select * from {{ ref('int_identity__evidence') }}
),

{%- if is_incremental() %}

changed_pairs as (
    select distinct
        source_node,
        target_node
    from evidence
    where {{ only_affected('file_seq', 'int_nights__changed_files', 'file_seq') }}
),

taken_in as (
    select evidence.*
    from evidence
    inner join changed_pairs
        on
            evidence.source_node = changed_pairs.source_node
            and evidence.target_node = changed_pairs.target_node
),
{%- else %}

taken_in as (
    select * from evidence
),
{%- endif %}

-- An alias may say that two user ids are one person's; it counts where both are ids in use, which
-- the previous one may become later.
aliases as (
    select
        {{ normalise_identifier('user_id', 'user_id') }} as user_id,
        {{ normalise_identifier('user_id', 'previous_user_id') }} as previous_user_id,
        aliased_at
    from {{ ref('stg_segment__aliases') }}
    where aliased_at < {{ as_of() }}
),

nodes as (
    select * from {{ ref('int_identity__nodes') }}
    where identifier_type = 'user_id'
),

aliased as (
    select
        firsts.node as source_node,
        seconds.node as target_node,
        firsts.type_rank as source_rank,
        seconds.type_rank as target_rank,
        count(*) as evidence_count,
        min(aliases.aliased_at) as first_seen_at,
        max(aliases.aliased_at) as last_seen_at
    from aliases
    inner join nodes as firsts
        on least(aliases.user_id, aliases.previous_user_id) = firsts.identifier_value
    inner join nodes as seconds
        on greatest(aliases.user_id, aliases.previous_user_id) = seconds.identifier_value
    where aliases.user_id <> aliases.previous_user_id
    group by firsts.node, seconds.node, firsts.type_rank, seconds.type_rank
),

final as (
    select
        source_node,
        target_node,
        min(source_rank) as source_rank,
        min(target_rank) as target_rank,
        cast(sum(evidence_count) as bigint) as evidence_count,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        {{ changed_now() }} as changed_at
    from taken_in
    group by source_node, target_node
    union all
    select
        aliased.*,
        {{ changed_now() }} as changed_at
    from aliased
    {%- if is_incremental() %}
    left join {{ this }} as built
        on
            aliased.source_node = built.source_node
            and aliased.target_node = built.target_node
    where aliased.evidence_count is distinct from built.evidence_count
    {%- endif %}
)

select * from final
