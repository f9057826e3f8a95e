-- One row per night x old person x new person between whom identifiers went over.
with history as (
    select * from {{ ref('int_identity__history') }}
),

final as (
    select
        old_user_key,
        new_user_key,
        kind,
        reason,
        max(evidence) as evidence,
        max(evidence_count) as evidence_count,
        count(*) as identifiers_count,
        max(evidence_first_seen_at) as evidence_first_seen_at,
        changed_at
    from history
    where new_user_key is not null
    group by old_user_key, new_user_key, kind, reason, changed_at
)

select * from final
