-- One row per person with a session: when, how long and with what they visit.
{%- set parts = {
    'usual_hour': "cast(extract(hour from local_started_at) as bigint)",
    'usual_weekday': "cast(extract(isodow from local_started_at) as bigint)",
} %}
with sessions as (
    select
        *,
        {{ local_time('started_at') }} as local_started_at
    from {{ ref('int_sessions__sessionized') }}
    where user_key is not null
),

{%- for part, value in parts.items() %}

-- The most frequent; of several, the smallest.
ranked_{{ part }} as (
    select
        user_key,
        {{ value }} as {{ part }},
        row_number() over (
            partition by user_key
            order by count(*) desc, {{ value }}
        ) as part_rank
    from sessions
    group by user_key, {{ value }}
),
{%- endfor %}

grouped as (
    select
        user_key,
        cast(round(sum(cast(engagement_seconds as decimal(18, 3))) / count(*), 3) as decimal(18, 3))
            as average_session_seconds,
        count(distinct device_type) as device_types_count
    from sessions
    group by user_key
),

final as (
    select
        grouped.user_key,
        ranked_usual_hour.usual_hour,
        ranked_usual_weekday.usual_weekday,
        grouped.average_session_seconds,
        grouped.device_types_count
    from grouped
    inner join ranked_usual_hour
        on
            grouped.user_key = ranked_usual_hour.user_key
            and ranked_usual_hour.part_rank = 1
    inner join ranked_usual_weekday
        on
            grouped.user_key = ranked_usual_weekday.user_key
            and ranked_usual_weekday.part_rank = 1
)

select * from final
