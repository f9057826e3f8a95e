-- One row per funnel x segment family x segment x step: the people of the last var funnel_days who
-- came so far. A step counts at or after the step before it; a person has the segment of now.
{%- set max_steps = 8 %}
with funnels as (
    select * from {{ ref('funnels') }}
),

shown_now as (
    select * from {{ ref('int_segments__shown_now') }}
),

moments as (
    select
        funnels.funnel,
        funnels.step_number,
        events.user_key,
        events.occurred_at
    from {{ ref('int_events__deduplicated') }} as events
    inner join funnels
        on events.event_name = funnels.event_name
    where events.exclusion_reason is null
    union all
    select
        funnels.funnel,
        funnels.step_number,
        conversions.user_key,
        conversions.converted_at as occurred_at
    from {{ ref('conversions') }} as conversions
    inner join funnels
        on conversions.conversion_type = funnels.conversion_type
),

recent as (
    select * from moments
    where
        user_key is not null
        and occurred_at >= {{ as_of() }} - {{ days_interval(var('funnel_days')) }}
        and occurred_at < {{ as_of() }}
),

reached_1 as (
    select
        funnel,
        user_key,
        min(occurred_at) as reached_at
    from recent
    where step_number = 1
    group by funnel, user_key
),
{% for number in range(2, max_steps + 1) %}
reached_{{ number }} as (
    select
        recent.funnel,
        recent.user_key,
        min(recent.occurred_at) as reached_at
    from reached_{{ number - 1 }} as earlier
    inner join recent
        on
            earlier.funnel = recent.funnel
            and earlier.user_key = recent.user_key
            and earlier.reached_at <= recent.occurred_at
    where recent.step_number = {{ number }}
    group by recent.funnel, recent.user_key
),
{% endfor %}
reached as (
    {%- for number in range(1, max_steps + 1) %}
    select
        funnel,
        user_key,
        {{ number }} as step_number
    from reached_{{ number }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

counted as (
    select
        reached.funnel,
        shown_now.segment_family,
        shown_now.segment,
        reached.step_number,
        count(*) as users
    from reached
    inner join shown_now
        on reached.user_key = shown_now.user_key
    group by reached.funnel, shown_now.segment_family, shown_now.segment, reached.step_number
),

-- A step that nobody of a segment reached is a row too.
stepped as (
    select
        funnels.funnel,
        begun.segment_family,
        begun.segment,
        funnels.step,
        funnels.step_number,
        coalesce(counted.users, 0) as users
    from funnels
    inner join counted as begun
        on
            funnels.funnel = begun.funnel
            and begun.step_number = 1
    left join counted
        on
            funnels.funnel = counted.funnel
            and funnels.step_number = counted.step_number
            and begun.segment_family = counted.segment_family
            and begun.segment = counted.segment
),

compared as (
    select
        *,
        lag(users) over (
            partition by funnel, segment_family, segment order by step_number
        ) as previous_users
    from stepped
),

final as (
    select
        ---------- keys
        funnel,
        segment_family,
        segment,
        cast(step_number as integer) as step_number,
        ---------- text
        step,
        ---------- numbers
        users,
        cast(users as double) / nullif(previous_users, 0) as step_rate,
        1 - cast(users as double) / nullif(previous_users, 0) as drop_off
    from compared
)

select * from final
