-- One row per person, old or new, of whom an identifier belongs to another person than at the last
-- night. An identifier that is new changes nobody's past.
with identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
),

built_identifiers as (
    select * from {{ source('built', 'built_identifiers') }}
),

changed as (
    select
        built_identifiers.user_key as old_user_key,
        identifiers.user_key as new_user_key
    from identifiers
    full outer join built_identifiers
        on
            identifiers.identifier_type = built_identifiers.identifier_type
            and identifiers.identifier_hash = built_identifiers.identifier_hash
    where
        built_identifiers.user_key is not null
        and identifiers.user_key is distinct from built_identifiers.user_key
),

final as (
    select old_user_key as user_key from changed
    union
    select new_user_key as user_key from changed
    where new_user_key is not null
)

select * from final
