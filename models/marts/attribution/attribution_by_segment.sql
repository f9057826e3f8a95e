-- One row per attribution model x scope x conversion type x segment family x segment
-- x channel x tactic.
-- A touch counts for the segment of its person as of the touch, credit without a touch for the
-- segment as of the conversion; a conversion of nobody known is unclassified.
{%- set models = attribution_models() %}
{%- set max_segments = var('max_segments_per_family') %}
with people as (
    select
        attribution_scope,
        conversion_type,
        user_key,
        {{ segment_columns() | join(',\n        ') }}
    from {{ ref('int_attribution__segment_people') }}
    group by
        attribution_scope,
        conversion_type,
        user_key,
        {{ segment_columns() | join(',\n        ') }}
),

people_of_segments as (
    {%- for family in segment_families() %}
    select distinct
        attribution_scope,
        conversion_type,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        user_key
    from people
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

segment_totals as (
    select
        {%- for model in models %}
        sum(conversions_{{ model }}) as conversions_{{ model }},
        sum(revenue_{{ model }}) as revenue_{{ model }},
        sum(clv_{{ model }}) as clv_{{ model }},
        {%- endfor %}
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic
    from {{ ref('int_attribution__segment_totals') }}
    group by attribution_scope, conversion_type, segment_family, segment, channel, tactic
),

-- The smallest segment comes first.
ranked_segments as (
    select
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        count(*) as people_count,
        row_number() over (
            partition by attribution_scope, conversion_type, segment_family
            order by count(*), segment
        ) as size_rank
    from people_of_segments
    group by attribution_scope, conversion_type, segment_family, segment
),

-- A person who is in several segments counts once, in the smallest.
people_by_first_rank as (
    select
        people_of_segments.attribution_scope,
        people_of_segments.conversion_type,
        people_of_segments.segment_family,
        people_of_segments.user_key,
        min(ranked_segments.size_rank) as size_rank
    from people_of_segments
    inner join ranked_segments
        on
            people_of_segments.attribution_scope = ranked_segments.attribution_scope
            and people_of_segments.conversion_type = ranked_segments.conversion_type
            and people_of_segments.segment_family = ranked_segments.segment_family
            and people_of_segments.segment = ranked_segments.segment
    group by
        people_of_segments.attribution_scope,
        people_of_segments.conversion_type,
        people_of_segments.segment_family,
        people_of_segments.user_key
),

newcomers as (
    select
        attribution_scope,
        conversion_type,
        segment_family,
        size_rank,
        count(*) as people_count
    from people_by_first_rank
    group by attribution_scope, conversion_type, segment_family, size_rank
),

merged_sizes as (
    select
        ranked_segments.*,
        sum(coalesce(newcomers.people_count, 0)) over (
            partition by
                ranked_segments.attribution_scope,
                ranked_segments.conversion_type,
                ranked_segments.segment_family
            order by ranked_segments.size_rank
            rows between unbounded preceding and current row
        ) as merged_people_count
    from ranked_segments
    left join newcomers
        on
            ranked_segments.attribution_scope = newcomers.attribution_scope
            and ranked_segments.conversion_type = newcomers.conversion_type
            and ranked_segments.segment_family = newcomers.segment_family
            and ranked_segments.size_rank = newcomers.size_rank
),

-- The small segments are merged; while all of them together are still too few people, the next
-- smallest joins them.
last_merged_ranks as (
    select
        attribution_scope,
        conversion_type,
        segment_family,
        case
            when min(people_count) >= {{ var('min_segment_size') }} then 0
            else coalesce(
                min(case
                    when
                        merged_people_count >= {{ var('min_segment_size') }}
                        and is_last_small
                        then size_rank
                end),
                max(size_rank)
            )
        end as last_merged_rank
    from (
        select
            *,
            -- The next segment is large enough to stand alone.
            coalesce(
                lead(people_count) over (
                    partition by attribution_scope, conversion_type, segment_family
                    order by size_rank
                ) >= {{ var('min_segment_size') }},
                true
            ) as is_last_small
        from merged_sizes
    ) as sizes
    group by attribution_scope, conversion_type, segment_family
),

-- Of more segments than people act on, those with the fewest people beyond are one.
counts as (
    select
        ranked_segments.attribution_scope,
        ranked_segments.conversion_type,
        ranked_segments.segment_family,
        count(*) as segments_count,
        count(*) - max(last_merged_ranks.last_merged_rank)
        + least(max(last_merged_ranks.last_merged_rank), 1) as shown_count
    from ranked_segments
    inner join last_merged_ranks
        on
            ranked_segments.attribution_scope = last_merged_ranks.attribution_scope
            and ranked_segments.conversion_type = last_merged_ranks.conversion_type
            and ranked_segments.segment_family = last_merged_ranks.segment_family
    group by
        ranked_segments.attribution_scope,
        ranked_segments.conversion_type,
        ranked_segments.segment_family
),

shown_segments as (
    select
        ranked_segments.attribution_scope,
        ranked_segments.conversion_type,
        ranked_segments.segment_family,
        ranked_segments.segment,
        case
            when ranked_segments.size_rank <= last_merged_ranks.last_merged_rank then '(small)'
            when
                counts.shown_count > {{ max_segments }}
                and counts.segments_count - ranked_segments.size_rank
                >= {{ max_segments }} - 1 - least(last_merged_ranks.last_merged_rank, 1)
                then '(other)'
            else ranked_segments.segment
        end as shown_segment
    from ranked_segments
    inner join counts
        on
            ranked_segments.attribution_scope = counts.attribution_scope
            and ranked_segments.conversion_type = counts.conversion_type
            and ranked_segments.segment_family = counts.segment_family
    inner join last_merged_ranks
        on
            ranked_segments.attribution_scope = last_merged_ranks.attribution_scope
            and ranked_segments.conversion_type = last_merged_ranks.conversion_type
            and ranked_segments.segment_family = last_merged_ranks.segment_family
),

credits_of_segments as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic,
        conversions_{{ model }} as conversions,
        revenue_{{ model }} as revenue,
        clv_{{ model }} as clv
    from segment_totals
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

summed as (
    select
        credits_of_segments.attribution_model,
        credits_of_segments.attribution_scope,
        credits_of_segments.conversion_type,
        credits_of_segments.segment_family,
        shown_segments.shown_segment as segment,
        credits_of_segments.channel,
        credits_of_segments.tactic,
        sum(credits_of_segments.conversions) as conversions,
        sum(credits_of_segments.revenue) as revenue,
        sum(credits_of_segments.clv) as clv
    from credits_of_segments
    inner join shown_segments
        on
            credits_of_segments.attribution_scope = shown_segments.attribution_scope
            and credits_of_segments.conversion_type = shown_segments.conversion_type
            and credits_of_segments.segment_family = shown_segments.segment_family
            and credits_of_segments.segment = shown_segments.segment
    group by
        credits_of_segments.attribution_model,
        credits_of_segments.attribution_scope,
        credits_of_segments.conversion_type,
        credits_of_segments.segment_family,
        shown_segments.shown_segment,
        credits_of_segments.channel,
        credits_of_segments.tactic
),

final as (
    select
        ---------- keys
        attribution_model,
        attribution_scope,
        conversion_type,
        segment_family,
        segment,
        channel,
        tactic,
        ---------- numbers
        conversions,
        revenue,
        clv,
        conversions / nullif(
            sum(conversions) over (
                partition by attribution_model, attribution_scope, conversion_type, segment_family
            ), 0
        ) as share
    from summed
)

select * from final
