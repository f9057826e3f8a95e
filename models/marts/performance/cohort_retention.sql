-- One row per month of the first order x segment family x segment x number of months since: who
-- ordered again. An order is a conversion that brought revenue; a person has the segment of now.
with orders as (
    select
        user_key,
        revenue,
        cast({{ dbt.date_trunc('month', 'converted_at') }} as date) as ordered_month,
        extract(year from converted_at) * 12 + extract(month from converted_at) as month_index
    from {{ ref('conversions') }}
    where
        user_key is not null
        and revenue > 0
        and converted_at < {{ as_of() }}
),

shown_now as (
    select * from {{ ref('int_segments__shown_now') }}
),

-- The clock is an exclusive end: at the first moment of a month, the month before is the last.
last_months as (
    select max(month_index) as month_index
    from (
        select extract(year from moment) * 12 + extract(month from moment) as month_index
        from (select {{ as_of() }} - interval '1' second as moment) as moments
    ) as clocks
),

customers as (
    select
        user_key,
        min(ordered_month) as cohort_month,
        min(month_index) as cohort_index
    from orders
    group by user_key
),

cohorts as (
    select
        customers.cohort_month,
        customers.cohort_index,
        shown_now.segment_family,
        shown_now.segment,
        count(*) as users
    from customers
    inner join shown_now
        on customers.user_key = shown_now.user_key
    group by
        customers.cohort_month,
        customers.cohort_index,
        shown_now.segment_family,
        shown_now.segment
),

months as (
    select
        cohorts.cohort_month,
        cohorts.segment_family,
        cohorts.segment,
        cohorts.users,
        {{ explode_range('0', 'last_months.month_index - cohorts.cohort_index') }} as month_number
    from cohorts
    cross join last_months
),

bought as (
    select
        user_key,
        month_index,
        sum(revenue) as revenue
    from orders
    group by user_key, month_index
),

kept as (
    select
        customers.cohort_month,
        shown_now.segment_family,
        shown_now.segment,
        bought.month_index - customers.cohort_index as month_number,
        count(*) as retained,
        sum(bought.revenue) as revenue
    from bought
    inner join customers
        on bought.user_key = customers.user_key
    inner join shown_now
        on bought.user_key = shown_now.user_key
    group by
        customers.cohort_month,
        shown_now.segment_family,
        shown_now.segment,
        bought.month_index - customers.cohort_index
),

final as (
    select
        ---------- keys
        months.cohort_month,
        months.segment_family,
        months.segment,
        cast(months.month_number as integer) as month_number,
        ---------- numbers
        months.users,
        coalesce(kept.retained, 0) as retained,
        cast(coalesce(kept.revenue, 0) as decimal(18, 4)) as revenue,
        cast(coalesce(kept.retained, 0) as double) / months.users as retention_rate
    from months
    left join kept
        on
            months.cohort_month = kept.cohort_month
            and months.segment_family = kept.segment_family
            and months.segment = kept.segment
            and months.month_number = kept.month_number
)

select * from final
