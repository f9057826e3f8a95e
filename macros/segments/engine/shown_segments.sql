{#-
  What aggregates show of each segment, so that nobody can be told from a small number: segments of fewer people than var
  min_segment_size are one, (small), with the next smallest while that is still too small. Of more segments than var
  max_segments_per_family, those with the fewest people beyond are one, (other).

  Args:
    people: relation with the keys, segment and user_key, each combination once.
    keys: columns within which segments are told apart.
-#}
{% macro shown_segments(people, keys) -%}
    {%- set columns = keys | join(', ') -%}
    {%- set max_segments = var('max_segments_per_family') -%}
    -- The smallest segment comes first.
    with ranked as (
        select
            {{ columns }},
            segment,
            count(*) as people_count,
            count(*) over (partition by {{ columns }}) as segments_count,
            row_number() over (partition by {{ columns }} order by count(*), segment) as size_rank
        from {{ people }}
        group by {{ columns }}, segment
    ),

    -- A person who is in several segments counts once, in the smallest.
    people_by_first_rank as (
        select
            {%- for key in keys %}
            ranked.{{ key }},
            {%- endfor %}
            people.user_key,
            min(ranked.size_rank) as size_rank
        from {{ people }} as people
        inner join ranked
            on
                {%- for key in keys %}
                people.{{ key }} = ranked.{{ key }}
                and
                {%- endfor %} people.segment = ranked.segment
        group by
            {%- for key in keys %}
            ranked.{{ key }},
            {%- endfor %}
            people.user_key
    ),

    newcomers as (
        select
            {{ columns }},
            size_rank,
            count(*) as people_count
        from people_by_first_rank
        group by {{ columns }}, size_rank
    ),

    -- Whether the next segment is large enough to stand alone.
    merged_sizes as (
        select
            ranked.*,
            sum(coalesce(newcomers.people_count, 0)) over (
                partition by {% for key in keys %}ranked.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
                order by ranked.size_rank
                rows between unbounded preceding and current row
            ) as merged_people_count,
            coalesce(
                lead(ranked.people_count) over (
                    partition by
                        {% for key in keys %}ranked.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
                    order by ranked.size_rank
                ) >= {{ var('min_segment_size') }},
                true
            ) as is_last_small
        from ranked
        left join newcomers
            on
                {%- for key in keys %}
                ranked.{{ key }} = newcomers.{{ key }}
                and
                {%- endfor %} ranked.size_rank = newcomers.size_rank
    ),

    -- While all small segments together are still too few people, the next smallest joins them.
    bounded as (
        select
            *,
            case
                when
                    min(people_count) over (partition by {{ columns }})
                    >= {{ var('min_segment_size') }}
                    then 0
                else coalesce(
                    min(
                        case
                            when
                                merged_people_count >= {{ var('min_segment_size') }}
                                and is_last_small
                                then size_rank
                        end
                    ) over (partition by {{ columns }}),
                    segments_count
                )
            end as last_merged_rank
        from merged_sizes
    )

    select
        {{ columns }},
        segment,
        case
            when size_rank <= last_merged_rank then '(small)'
            when
                segments_count - last_merged_rank + least(last_merged_rank, 1) > {{ max_segments }}
                and segments_count - size_rank >= {{ max_segments }} - 1 - least(last_merged_rank, 1)
                then '(other)'
            else segment
        end as shown_segment
    from bounded
{%- endmacro %}
