-- One row per person of whom something changed, with the moment from which their touches may be
-- followed by another conversion than at the last night.
with affected_users as (
    select * from {{ ref('int_nights__affected_users') }}
),

longest_lookback as (
    select max(lookback_days) as lookback_days from {{ ref('int_conversions__types') }}
),

-- Touches that are good for longer than the lookback reach further.
own_times as (
    select
        affected_users.user_key,
        min(touchpoints.touched_at) as from_at
    from {{ ref('int_touchpoints__collapsed') }} as touchpoints
    inner join affected_users
        on
            touchpoints.user_key = affected_users.user_key
            and touchpoints.eligible_until >= affected_users.from_at
    group by affected_users.user_key
),

final as (
    select
        affected_users.user_key,
        least(
            affected_users.from_at
            - {{ days_interval('coalesce(longest_lookback.lookback_days, 0)') }},
            own_times.from_at
        ) as from_at
    from affected_users
    cross join longest_lookback
    left join own_times
        on affected_users.user_key = own_times.user_key
)

select * from final
