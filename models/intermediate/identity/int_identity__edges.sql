-- One row per pair of identifiers that were seen together or told to be one person's, the stronger
-- kind as the source.
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

-- CRM records that are told to be one person's. A match of today holds for a night that is judged
-- as of an earlier day too.
matches as (
    select
        {{ normalise_identifier('contact_id', 'first_contact_id') }} as first_contact_id,
        {{ normalise_identifier('contact_id', 'second_contact_id') }} as second_contact_id,
        matched_at
    from {{ ref('stg_landing__identity_matches') }}
    where probability >= {{ var('identity_match_probability') }}
),

told as (
    select
        'user_id' as identifier_type,
        least(user_id, previous_user_id) as first_value,
        greatest(user_id, previous_user_id) as second_value,
        aliased_at as told_at
    from aliases
    union all
    select
        'contact_id' as identifier_type,
        least(first_contact_id, second_contact_id) as first_value,
        greatest(first_contact_id, second_contact_id) as second_value,
        matched_at as told_at
    from matches
),

nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

told_pairs as (
    select
        firsts.node as source_node,
        seconds.node as target_node,
        firsts.type_rank as source_rank,
        seconds.type_rank as target_rank,
        count(*) as evidence_count,
        min(told.told_at) as first_seen_at,
        max(told.told_at) as last_seen_at
    from told
    inner join nodes as firsts
        on
            told.identifier_type = firsts.identifier_type
            and told.first_value = firsts.identifier_value
    inner join nodes as seconds
        on
            told.identifier_type = seconds.identifier_type
            and told.second_value = seconds.identifier_value
    where told.first_value <> told.second_value
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
        told_pairs.*,
        {{ changed_now() }} as changed_at
    from told_pairs
    {%- if is_incremental() %}
    left join {{ this }} as built
        on
            told_pairs.source_node = built.source_node
            and told_pairs.target_node = built.target_node
    where told_pairs.evidence_count is distinct from built.evidence_count
    {%- endif %}
)

select * from final
