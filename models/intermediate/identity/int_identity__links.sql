-- One row per pair of identifiers that were seen together and so belong to one person.
{{ config(materialized='view') }}
with final as (
    select
        source_node,
        target_node,
        source_rank,
        target_rank,
        evidence_count,
        first_seen_at,
        last_seen_at,
        changed_at
    from {{ ref('int_identity__edges') }}
    where
        source_node not in (
            select unlinked.node from {{ ref('int_identity__unlinked') }} as unlinked
        )
        and target_node not in (
            select unlinked.node from {{ ref('int_identity__unlinked') }} as unlinked
        )
)

select * from final
