-- The people of user_profiles are exactly those of the identity resolution.
with people as (
    select user_key
    from {{ ref('int_identity__identifiers') }}
    group by user_key
)

select
    people.user_key as resolved_user_key,
    profiles.user_key as profile_user_key
from people
full outer join {{ ref('user_profiles') }} as profiles
    on people.user_key = profiles.user_key
where
    people.user_key is null
    or profiles.user_key is null
