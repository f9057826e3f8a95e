-- One row per attribution model x scope x conversion type x segment family x segment
-- x channel x tactic.
-- A touch counts for the segment of its person as of the touch, credit without a touch for the
-- segment as of the conversion; a conversion of nobody known is unclassified.
{%- set families = segment_families() %}
with credits as (
    select * from {{ ref('attribution_credits') }}
),

labelled_moments as (
    select * from {{ ref('int_segments__labelled_moments') }}
    where moment_type in ('touch', 'conversion')
),

keyed_credits as (
    select
        *,
        case when touchpoint_id is null then 'conversion' else 'touch' end as moment_type,
        coalesce(touchpoint_id, conversion_id) as moment_id
    from credits
),

labelled_credits as (
    select
        keyed_credits.attribution_model,
        keyed_credits.attribution_scope,
        keyed_credits.conversion_type,
        keyed_credits.user_key,
        keyed_credits.channel,
        coalesce(keyed_credits.tactic, 'none') as tactic,
        {%- for column in segment_columns() %}
        coalesce(labelled_moments.{{ column }}, 'unclassified') as {{ column }},
        {%- endfor %}
        keyed_credits.credit,
        keyed_credits.credited_revenue,
        keyed_credits.credited_clv
    from keyed_credits
    left join labelled_moments
        on
            keyed_credits.moment_type = labelled_moments.moment_type
            and keyed_credits.moment_id = labelled_moments.moment_id
),

people as (
    select
        attribution_scope,
        conversion_type,
        user_key,
        {{ segment_columns() | join(',\n        ') }}
    from labelled_credits
    group by
        attribution_scope,
        conversion_type,
        user_key,
        {{ segment_columns() | join(',\n        ') }}
),

people_of_segments as (
    {%- for family in families %}
    select
        attribution_scope,
        conversion_type,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        user_key
    from people
    group by attribution_scope, conversion_type, segment_{{ family }}, user_key
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
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

shown_segments as (
    select
        ranked_segments.attribution_scope,
        ranked_segments.conversion_type,
        ranked_segments.segment_family,
        ranked_segments.segment,
        case
            when ranked_segments.size_rank <= last_merged_ranks.last_merged_rank then '(small)'
            else ranked_segments.segment
        end as shown_segment
    from ranked_segments
    inner join last_merged_ranks
        on
            ranked_segments.attribution_scope = last_merged_ranks.attribution_scope
            and ranked_segments.conversion_type = last_merged_ranks.conversion_type
            and ranked_segments.segment_family = last_merged_ranks.segment_family
),

-- One pass over the credits: by the segments of all families at once.
credits_of_combinations as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        {{ segment_columns() | join(',\n        ') }},
        channel,
        tactic,
        sum(credit) as conversions,
        sum(credited_revenue) as revenue,
        sum(credited_clv) as clv
    from labelled_credits
    group by
        attribution_model,
        attribution_scope,
        conversion_type,
        {{ segment_columns() | join(',\n        ') }},
        channel,
        tactic
),

credits_of_segments as (
    {%- for family in families %}
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        channel,
        tactic,
        conversions,
        revenue,
        clv
    from credits_of_combinations
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
