-- One row per day x segment family x segment x channel on which something happened. A person counts
-- for the segment of now; family all is everybody. Conversions and what they brought are credit of
-- var default_attribution_model in scope all, so that channels add up to what there was.
{%- set counts = ['sends', 'opens', 'impressions', 'clicks', 'sessions'] %}
{%- set sources = {
    'events': ['sends', 'opens', 'impressions', 'clicks'],
    'sessions': ['sessions', 'engagement_seconds'],
    'credits': ['conversions', 'orders', 'revenue', 'clv'],
} %}
{%- set all_columns = sources.values() | sum(start=[]) %}
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

-- What happened, per person, channel and day. Each source is summed by itself, over its own
-- columns only, and the small sums are put together last: two thirds of the cost of one sum. Counts
-- are doubles: a sum of whole numbers is of 128 bits and costs three times as much.
activities_of_events as (
    select
        coalesce(user_key, '') as person,
        channel,
        activity_date,
        cast(sum(case
            when event_name in ('email_sent', 'push_sent', 'sms_sent', 'offer_sent') then 1 else 0
        end) as double) as sends,
        cast(sum(case
            when event_name in ('email_opened', 'push_opened', 'offer_viewed') then 1 else 0
        end) as double) as opens,
        cast(sum(case
            when event_name in ('ad_impression', 'content_shown', 'recommendation_shown') then 1
            else 0
        end) as double) as impressions,
        cast(sum(case
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
        end) as double) as clicks
    from events
    group by coalesce(user_key, ''), channel, activity_date
),

activities_of_sessions as (
    select
        coalesce(user_key, '') as person,
        channel,
        cast(started_at as date) as activity_date,
        cast(count(*) as double) as sessions,
        coalesce(sum(engagement_seconds), 0e0) as engagement_seconds
    from sessions
    group by coalesce(user_key, ''), channel, cast(started_at as date)
),

activities_of_credits as (
    select
        coalesce(user_key, '') as person,
        channel,
        activity_date,
        sum(credit) as conversions,
        sum(case when credited_revenue > 0 then credit else 0e0 end) as orders,
        coalesce(sum(credited_revenue), 0e0) as revenue,
        coalesce(sum(credited_clv), 0e0) as clv
    from credits
    group by coalesce(user_key, ''), channel, activity_date
),

people as (
    {%- for source in sources %}
    select person from activities_of_{{ source }}
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}
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

{%- for source, columns in sources.items() %}
labelled_{{ source }} as (
    select
        activities_of_{{ source }}.*,
        {{ explode_list('segments_of_people.segment_numbers') }} as segment_number
    from activities_of_{{ source }}
    inner join segments_of_people
        on activities_of_{{ source }}.person = segments_of_people.person
),

numbers_of_{{ source }} as (
    select
        activity_date,
        segment_number,
        {%- for column in columns %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        channel
    from labelled_{{ source }}
    group by activity_date, segment_number, channel
),
{% endfor %}
of_sources as (
    {%- for source, columns in sources.items() %}
    select
        activity_date,
        segment_number,
        {%- for column in all_columns %}
        {{ column if column in columns else '0e0' }} as {{ column }},
        {%- endfor %}
        channel
    from numbers_of_{{ source }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

of_numbers as (
    select
        activity_date,
        segment_number,
        {%- for column in all_columns %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        channel
    from of_sources
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
