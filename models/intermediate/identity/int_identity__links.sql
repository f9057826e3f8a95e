-- One row per pair of identifiers that were seen together and so belong to one person.
{{ config(materialized='view') }}
with final as (
    select * from {{ ref('int_identity__edges') }}
    where
        source_node not in (
            select unlinked.node from {{ ref('int_identity__unlinked') }} as unlinked
        )
        and target_node not in (
            select unlinked.node from {{ ref('int_identity__unlinked') }} as unlinked
        )
)

select * from final
