-- One row per day, from the first of January of the year in which anything is known to the last day
-- that the night judges.
with first_moments as (
    select min(converted_at) as moment from {{ ref('conversions') }}
    union all
    select min(started_at) as moment from {{ ref('sessions') }}
    union all
    select min(touched_at) as moment from {{ ref('touchpoints') }}
    union all
    select min(first_seen_at) as moment from {{ ref('user_profiles') }}
    union all
    select cast(min(spend_date) as timestamp) as moment from {{ ref('spend_daily') }}
),

-- The clock is exclusive: the night of a midnight judges the day before it.
bounds as (
    select
        date_trunc('year', least(min(moment), {{ as_of() }} - interval '1' second)) as first_day,
        date_trunc('day', {{ as_of() }} - interval '1' second) as last_day
    from first_moments
),

days as (
    select
        cast(
            unnest(generate_series(first_day, last_day, interval '1' day)) as date
        ) as calendar_date
    from bounds
),

final as (
    select
        ---------- keys
        calendar_date,
        ---------- numbers
        cast(isodow(calendar_date) as integer) as day_of_week,
        ---------- booleans
        isodow(calendar_date) >= 6 as is_weekend,
        ---------- times
        cast(date_trunc('week', calendar_date) as date) as week_started_on,
        cast(date_trunc('month', calendar_date) as date) as month_started_on
    from days
)

select * from final
