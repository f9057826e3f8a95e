-- One row per segment family x week: how its people are spread over its segments, and how that
-- moved since the week before. Weeks end with the night, the four last ones are told.
{%- set weeks = 4 %}
with memberships as (
    select * from {{ ref('segment_memberships') }}
),

clusterings as (
    select
        max(trained_as_of) as trained_as_of,
        max_by(silhouette, trained_as_of) as silhouette
    from {{ source('ml', 'cluster_comparison') }}
    where is_published
),

week_ends as (
    select
        week_number,
        {{ as_of() }} - week_number * {{ days_interval(7) }} as ended_at
    from (
        select {{ explode_range(0, weeks) }} as week_number
    ) as numbers
),

-- Who was in which segment at the end of each week.
members as (
    select
        week_ends.week_number,
        week_ends.ended_at,
        memberships.user_key,
        memberships.segment_family,
        memberships.segment
    from memberships
    inner join week_ends
        on
            memberships.valid_from <= week_ends.ended_at
            and (memberships.valid_to is null or memberships.valid_to > week_ends.ended_at)
),

sizes as (
    select
        week_number,
        ended_at,
        segment_family,
        segment,
        count(*) as people,
        sum(count(*)) over (partition by week_number, segment_family) as people_in_all
    from members
    group by week_number, ended_at, segment_family, segment
),

-- A week after one in which nobody had a label has nothing to compare: the family began there.
totals as (
    select
        later.week_number,
        later.segment_family,
        max(later.people_in_all) as later_people,
        max(earlier.people_in_all) as earlier_people
    from sizes as later
    inner join sizes as earlier
        on
            later.segment_family = earlier.segment_family
            and later.week_number = earlier.week_number - 1
    group by later.week_number, later.segment_family
    having count(case when earlier.segment <> 'unclassified' then 1 end) > 0
),

-- The shares of the segments in two weeks; half a person where a segment is empty.
compared as (
    select
        coalesce(later.week_number, earlier.week_number - 1) as week_number,
        coalesce(later.segment_family, earlier.segment_family) as segment_family,
        coalesce(later.people, 0.5e0) / totals.later_people as later_share,
        coalesce(earlier.people, 0.5e0) / totals.earlier_people as earlier_share
    from sizes as later
    full outer join sizes as earlier
        on
            later.segment_family = earlier.segment_family
            and later.segment = earlier.segment
            and later.week_number = earlier.week_number - 1
    inner join totals
        on
            coalesce(later.week_number, earlier.week_number - 1) = totals.week_number
            and coalesce(later.segment_family, earlier.segment_family) = totals.segment_family
),

population_stability as (
    select
        week_number,
        segment_family,
        sum((later_share - earlier_share) * ln(later_share / earlier_share)) as psi
    from compared
    group by week_number, segment_family
),

-- The adjusted Rand index of two weeks counts the pairs of people who are together in both.
pairs as (
    select
        later.week_number,
        later.segment_family,
        later.segment as later_segment,
        earlier.segment as earlier_segment,
        cast(count(*) as double) as people
    from members as later
    inner join members as earlier
        on
            later.user_key = earlier.user_key
            and later.segment_family = earlier.segment_family
            and later.week_number = earlier.week_number - 1
    group by later.week_number, later.segment_family, later.segment, earlier.segment
),

{%- for side in ['later', 'earlier'] %}

{{ side }}_pairs as (
    select
        week_number,
        segment_family,
        sum(people * (people - 1) / 2) as together
    from (
        select
            week_number,
            segment_family,
            sum(people) as people
        from pairs
        group by week_number, segment_family, {{ side }}_segment
    ) as sides
    group by week_number, segment_family
),
{%- endfor %}

both_pairs as (
    select
        week_number,
        segment_family,
        sum(people * (people - 1) / 2) as together,
        sum(people) * (sum(people) - 1) / 2 as in_all
    from pairs
    group by week_number, segment_family
),

adjusted_rand as (
    select
        both_pairs.week_number,
        both_pairs.segment_family,
        -- All in one segment in both weeks, or everybody alone: nothing moved.
        coalesce(
            (
                both_pairs.together
                - later_pairs.together * earlier_pairs.together / nullif(both_pairs.in_all, 0)
            ) / nullif(
                (later_pairs.together + earlier_pairs.together) / 2
                - later_pairs.together * earlier_pairs.together / nullif(both_pairs.in_all, 0),
                0
            ),
            1e0
        ) as ari
    from both_pairs
    inner join totals
        on
            both_pairs.week_number = totals.week_number
            and both_pairs.segment_family = totals.segment_family
    inner join later_pairs
        on
            both_pairs.week_number = later_pairs.week_number
            and both_pairs.segment_family = later_pairs.segment_family
    inner join earlier_pairs
        on
            both_pairs.week_number = earlier_pairs.week_number
            and both_pairs.segment_family = earlier_pairs.segment_family
),

counted as (
    select
        week_number,
        ended_at,
        segment_family,
        cast(sum(people) as bigint) as people,
        cast(coalesce(sum(case when segment <> 'unclassified' then people end), 0) as bigint)
            as members,
        cast(sum(case when segment <> 'unclassified' then 1 else 0 end) as bigint) as k,
        min(case when segment <> 'unclassified' then people end) as smallest_segment,
        cast(sum(case
            when segment <> 'unclassified' and people < {{ var('min_segment_size') }} then 1 else 0
        end) as bigint) as small_segments
    from sizes
    where week_number < {{ weeks }}
    group by week_number, ended_at, segment_family
),

final as (
    select
        ---------- keys
        counted.segment_family,
        ---------- numbers
        counted.k,
        counted.members,
        counted.smallest_segment,
        1e0 - cast(counted.members as double) / counted.people as unclassified_share,
        population_stability.psi,
        adjusted_rand.ari,
        case
            when counted.segment_family = 'cluster' and clusterings.trained_as_of is not null
                then clusterings.silhouette
        end as silhouette,
        ---------- booleans
        counted.k > {{ var('max_segments_per_family') }} or counted.small_segments * 2 > counted.k
            as is_over_segmented,
        ---------- times
        counted.ended_at
    from counted
    cross join clusterings
    left join population_stability
        on
            counted.week_number = population_stability.week_number
            and counted.segment_family = population_stability.segment_family
    left join adjusted_rand
        on
            counted.week_number = adjusted_rand.week_number
            and counted.segment_family = adjusted_rand.segment_family
)

select * from final
