-- One row per person who asked that their data is not sold, with when they first did.
with requests as (
    select * from {{ ref('stg_landing__privacy_requests') }}
    where
        lower(trim(kind)) = 'opt_out_of_sale'
        and requested_at < {{ as_of() }}
),

identified_requests as (
    {{ identified('requests', ['user_id', 'email', 'phone', 'anonymous_id'], 'requested_at') }}
),

final as (
    select
        user_key,
        min(requested_at) as opted_out_at
    from identified_requests
    where user_key is not null
    group by user_key
)

select * from final
