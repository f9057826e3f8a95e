-- One row per person, old or new, of whom an identifier belongs to another person than at the last
-- night, or whose consent changed. An identifier that is new changes nobody's past.
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

-- Who has had a device at another time than the last night knew.
stints as (
    select
        identifier_type,
        identifier_hash,
        user_key,
        started_at,
        ended_at
    from {{ ref('int_identity__stints') }}
),

built_stints as (
    select * from {{ source('built', 'built_stints') }}
),

changed_stints as (
    (
        select * from stints
        except
        select * from built_stints
    )
    union all
    (
        select * from built_stints
        except
        select * from stints
    )
),

-- Whose identifier tells nothing of one person any more.
newly_guarded as (
    select identifiers.user_key
    from {{ ref('int_identity__guarded') }} as guarded
    inner join {{ ref('int_identity__nodes') }} as nodes
        on guarded.node = nodes.node
    inner join identifiers
        on
            nodes.identifier_type = identifiers.identifier_type
            and nodes.identifier_hash = identifiers.identifier_hash
    where guarded.changed_at >= {{ as_of() }}
),

-- Whose consent changed: it holds for what they did before and since.
changed_consents as (
    select * from {{ ref('stg_landing__consents') }}
    where
        file_seq in (
            select changed_files.file_seq
            from {{ ref('int_nights__changed_files') }} as changed_files
        )
),

people_of_changed_consents as (
    {{ identified('changed_consents', ['user_id', 'email', 'anonymous_id'], 'changed_at') }}
),

final as (
    select old_user_key as user_key from changed
    union
    select new_user_key as user_key from changed
    where new_user_key is not null
    union
    select user_key from changed_stints
    union
    select user_key from newly_guarded
    union
    select user_key from people_of_changed_consents
    where user_key is not null
)

select * from final
