-- One row per person of whom something changed x conversion type, with the moment from which their
-- touches may be followed by another conversion of the type than at the last night.
{%- set built_conversions = as_built('conversions', 'marts') %}
with affected_users as (
    select * from {{ ref('int_nights__affected_users') }}
),

conversion_types as (
    select * from {{ ref('int_conversions__types') }}
),

conversions as (
    select
        conversion_id,
        user_key,
        conversion_type,
        converted_at
    from {{ ref('int_conversions__valued') }}
),

-- Whose conversions of a type are others than at the last night.
changed_conversions as (
    {%- if built_conversions is none %}
    select
        user_key,
        conversion_type
    from conversions
    {%- else %}
    select
        coalesce(conversions.user_key, built.user_key) as user_key,
        coalesce(conversions.conversion_type, built.conversion_type) as conversion_type
    from conversions
    full outer join {{ built_conversions }} as built
        on
            conversions.conversion_id = built.conversion_id
            and conversions.user_key = built.user_key
            and conversions.conversion_type = built.conversion_type
            and conversions.converted_at = built.converted_at
    where
        conversions.conversion_id is null
        or built.conversion_id is null
    {%- endif %}
),

changed_types as (
    select distinct
        user_key,
        conversion_type
    from changed_conversions
    where user_key is not null
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

-- Where no conversion changed, only new touches go on with a run.
final as (
    select
        affected_users.user_key,
        conversion_types.conversion_type,
        case
            when changed_types.user_key is null then affected_users.from_at
            else least(
                affected_users.from_at - {{ days_interval('conversion_types.lookback_days') }},
                own_times.from_at
            )
        end as from_at
    from affected_users
    cross join conversion_types
    left join changed_types
        on
            affected_users.user_key = changed_types.user_key
            and conversion_types.conversion_type = changed_types.conversion_type
    left join own_times
        on affected_users.user_key = own_times.user_key
)

select * from final
