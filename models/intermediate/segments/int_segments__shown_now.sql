-- One row per person x segment family, and the family all: the segment of now, as aggregates
-- show it. Segments of fewer people than var min_segment_size are one, (small), with the next
-- smallest while that is still too small; those beyond var max_segments_per_family are (other).
with labelled_now as (
    select * from {{ ref('int_segments__labelled_now') }}
),

labels as (
    select
        user_key,
        'all' as segment_family,
        'all' as segment
    from labelled_now
    {%- for family in membership_families() %}
    union all
    select
        user_key,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment
    from labelled_now
    {%- endfor %}
),

sizes as (
    select
        segment_family,
        segment,
        count(*) as people_count
    from labels
    group by segment_family, segment
),

-- The smallest segment comes first.
ranked as (
    select
        *,
        row_number() over smallest_first as size_rank,
        sum(people_count) over smallest_first as merged_count,
        lead(people_count) over smallest_first as next_count,
        row_number() over (
            partition by segment_family order by people_count desc, segment desc
        ) as place
    from sizes
    window smallest_first as (partition by segment_family order by people_count, segment)
),

-- Everybody together may be too few: all is all the same, since it tells nobody apart.
last_merged as (
    select
        segment_family,
        case
            when min(people_count) >= {{ var('min_segment_size') }} or segment_family = 'all' then 0
            else coalesce(
                min(case
                    when
                        merged_count >= {{ var('min_segment_size') }}
                        and coalesce(next_count, merged_count) >= {{ var('min_segment_size') }}
                        then size_rank
                end),
                max(size_rank)
            )
        end as last_merged_rank
    from ranked
    group by segment_family
),

shown as (
    select
        ranked.segment_family,
        ranked.segment,
        case
            when ranked.size_rank <= last_merged.last_merged_rank then '(small)'
            when ranked.place > {{ var('max_segments_per_family') }} then '(other)'
            else ranked.segment
        end as shown_segment
    from ranked
    inner join last_merged
        on ranked.segment_family = last_merged.segment_family
),

final as (
    select
        labels.user_key,
        labels.segment_family,
        shown.shown_segment as segment
    from labels
    inner join shown
        on
            labels.segment_family = shown.segment_family
            and labels.segment = shown.segment
)

select * from final
