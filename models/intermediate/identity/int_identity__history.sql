-- One row per identifier x night that found it with another person, of this night and those before.
{{ config(materialized='view') }}
{%- set columns = [
    'identifier_type', 'identifier_hash', 'old_user_key', 'new_user_key', 'kind', 'reason',
    'evidence', 'evidence_count', 'evidence_first_seen_at', 'changed_at'
] | join(',\n        ') %}
-- This night's are among those kept once it is over.
with final as (
    select
        {{ columns }}
    from {{ source('built', 'identity_changes') }}
    union
    select
        {{ columns }}
    from {{ ref('int_identity__changed') }}
)

select * from final
