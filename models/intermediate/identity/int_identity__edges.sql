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
)

select * from final
