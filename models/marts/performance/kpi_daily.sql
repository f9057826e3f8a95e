-- One row per day x segment family x segment x channel on which something happened. A person counts
-- for the segment of now; family all is everybody. Conversions and what they brought are credit of
-- var default_attribution_model in scope all, so that channels add up to what there was.
{%- set counts = ['sends', 'opens', 'impressions', 'clicks', 'sessions'] %}
{%- set sums = ['engagement_seconds', 'conversions', 'orders', 'revenue', 'clv'] %}
with events as (
    select
        user_key,
        channel,
        event_name,
        cast(occurred_at as date) as activity_date
    from {{ ref('int_events__classified') }}
    where exclusion_reason is null
),

sessions as (
    select * from {{ ref('sessions') }}
),

credits as (
    select
        user_key,
        channel,
        credit,
        credited_revenue,
        credited_clv,
        cast(converted_at as date) as activity_date
    from {{ ref('attribution_credits') }}
    where
        attribution_model = '{{ var('default_attribution_model') }}'
        and attribution_scope = 'all'
),

shown_now as (
    select * from {{ ref('int_segments__shown_now') }}
),

activities as (
    select
        user_key,
        channel,
        activity_date,
        sum(case
            when event_name in ('email_sent', 'push_sent', 'sms_sent', 'offer_sent') then 1 else 0
        end) as sends,
        sum(case
            when event_name in ('email_opened', 'push_opened', 'offer_viewed') then 1 else 0
        end) as opens,
        sum(case
            when event_name in ('ad_impression', 'content_shown', 'recommendation_shown') then 1
            else 0
        end) as impressions,
        sum(case
            when
                event_name in (
                    'ad_click',
                    'email_clicked',
                    'sms_clicked',
                    'content_clicked',
                    'recommendation_clicked'
                )
                then 1
            else 0
        end) as clicks,
        0 as sessions,
        0e0 as engagement_seconds,
        0e0 as conversions,
        0e0 as orders,
        0e0 as revenue,
        0e0 as clv
    from events
    group by user_key, channel, activity_date
    union all
    select
        user_key,
        channel,
        cast(started_at as date) as activity_date,
        0 as sends,
        0 as opens,
        0 as impressions,
        0 as clicks,
        count(*) as sessions,
        coalesce(sum(engagement_seconds), 0e0) as engagement_seconds,
        0e0 as conversions,
        0e0 as orders,
        0e0 as revenue,
        0e0 as clv
    from sessions
    group by user_key, channel, cast(started_at as date)
    union all
    select
        user_key,
        channel,
        activity_date,
        0 as sends,
        0 as opens,
        0 as impressions,
        0 as clicks,
        0 as sessions,
        0e0 as engagement_seconds,
        sum(credit) as conversions,
        sum(case when credited_revenue > 0 then credit else 0e0 end) as orders,
        coalesce(sum(credited_revenue), 0e0) as revenue,
        coalesce(sum(credited_clv), 0e0) as clv
    from credits
    group by user_key, channel, activity_date
),

-- Counts as doubles: a sum of whole numbers is of 128 bits and costs three times as much.
activities_of_people as (
    select
        coalesce(user_key, '') as person,
        channel,
        activity_date,
        {%- for counted in counts %}
        cast(sum({{ counted }}) as double) as {{ counted }},
        {%- endfor %}
        {%- for summed in sums %}
        sum({{ summed }}) as {{ summed }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from activities
    group by coalesce(user_key, ''), channel, activity_date
),

people as (
    select distinct person from activities_of_people
),

-- What nobody known did is in each family too, so that every family adds up to the same.
families as (
    select 'all' as segment_family
    {%- for family in membership_families() %}
    union all
    select '{{ family }}' as segment_family
    {%- endfor %}
),

labels as (
    select
        people.person,
        families.segment_family,
        coalesce(
            shown_now.segment,
            case when families.segment_family = 'all' then 'all' else 'unclassified' end
        ) as segment
    from people
    cross join families
    left join shown_now
        on
            people.person = shown_now.user_key
            and families.segment_family = shown_now.segment_family
),

-- Each activity is counted once per family: by a number rather than by two names.
segments as (
    select
        segment_family,
        segment,
        row_number() over (order by segment_family, segment) as segment_number
    from labels
    group by segment_family, segment
),

segments_of_people as (
    select
        labels.person,
        {{ ordered_list('segments.segment_number', 'segments.segment_number') }}
            as segment_numbers
    from labels
    inner join segments
        on
            labels.segment_family = segments.segment_family
            and labels.segment = segments.segment
    group by labels.person
),

labelled as (
    select
        activities_of_people.*,
        {{ explode_list('segments_of_people.segment_numbers') }} as segment_number
    from activities_of_people
    inner join segments_of_people
        on activities_of_people.person = segments_of_people.person
),

of_numbers as (
    select
        activity_date,
        segment_number,
        channel,
        {%- for summed in counts + sums %}
        sum({{ summed }}) as {{ summed }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from labelled
    group by activity_date, segment_number, channel
),

summed as (
    select
        of_numbers.*,
        segments.segment_family,
        segments.segment
    from of_numbers
    inner join segments
        on of_numbers.segment_number = segments.segment_number
),

final as (
    select
        ---------- keys
        activity_date,
        segment_family,
        segment,
        channel,
        ---------- numbers
        {%- for counted in counts %}
        cast({{ counted }} as bigint) as {{ counted }},
        {%- endfor %}
        engagement_seconds,
        conversions,
        orders,
        revenue,
        clv,
        opens / nullif(sends, 0) as open_rate,
        clicks / nullif(sends + impressions, 0) as click_through_rate,
        conversions / nullif(sessions, 0) as conversion_rate,
        revenue / nullif(orders, 0) as average_order_value
    from summed
    where
        sends + opens + impressions + clicks + sessions > 0
        or conversions > 0
)

select * from final
