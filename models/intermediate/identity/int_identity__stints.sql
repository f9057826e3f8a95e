-- One row per stretch of time in which a device that different people used was one person's.
-- What happens on it without a name belongs to the login nearest in time: from one person's login
-- to the next one's, the first half is the one's and the second half the other's.
with logins as (
    select * from {{ ref('int_identity__logins') }}
),

identified_logins as (
    {{ identified('logins', person_types()) }}
),

ordered as (
    select
        device_type,
        device_value,
        user_key,
        seen_at,
        row_number() over device as login_number,
        lag(user_key) over device as previous_user_key,
        lag(seen_at) over device as previous_seen_at
    from identified_logins
    window device as (
        partition by device_type, device_value
        order by
            seen_at,
            {{ person_types() | join(' nulls last,\n            ') }} nulls last
    )
),

handovers as (
    select
        device_type,
        device_value,
        user_key,
        login_number,
        case
            when previous_seen_at is not null
                then {{ halfway('previous_seen_at', 'seen_at') }}
        end as started_at
    from ordered
    where user_key is distinct from previous_user_key
),

bounded as (
    select
        *,
        lead(started_at) over (
            partition by device_type, device_value order by login_number
        ) as ended_at,
        count(*) over (partition by device_type, device_value) as stints_count
    from handovers
),

-- Of two logins at one moment, the first has no time.
final as (
    select
        device_type as identifier_type,
        device_value as identifier_value,
        {{ hash_identifier('device_value') }} as identifier_hash,
        user_key,
        started_at,
        ended_at
    from bounded
    where
        stints_count > 1
        and (started_at is null or ended_at is null or started_at < ended_at)
)

select * from final
