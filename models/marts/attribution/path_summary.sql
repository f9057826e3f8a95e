-- One row per conversion type x kind of path x path: how many closed journeys took it, and what came
-- of them. A path is a list, so that no character in a channel's name can break it.
with journeys as (
    select
        conversion_id,
        conversion_type,
        is_converted,
        coalesce(path, []) as path
    from {{ ref('journeys') }}
    where not is_open
),

conversions as (
    select * from {{ ref('conversions') }}
),

-- Journeys of one path are counted together before their path is transformed.
exposed as (
    select
        journeys.conversion_type,
        journeys.path,
        sum(case when journeys.is_converted then 1 else 0 end) as conversions,
        sum(case when journeys.is_converted then 0 else 1 end) as non_conversions,
        sum(coalesce(conversions.revenue, 0)) as revenue
    from journeys
    left join conversions
        on journeys.conversion_id = conversions.conversion_id
    group by journeys.conversion_type, journeys.path
),

transformed as (
    {%- for kind, path in {
        'collapsed': path_collapsed('path'),
        'first_occurrences': path_first_occurrences('path'),
        'unique': path_unique('path'),
    }.items() %}
    select
        conversion_type,
        '{{ kind }}' as path_kind,
        {{ path }} as path,
        conversions,
        non_conversions,
        revenue
    from exposed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        ---------- keys
        conversion_type,
        path_kind,
        path,
        ---------- numbers
        cast(sum(conversions) as bigint) as conversions,
        cast(sum(non_conversions) as bigint) as non_conversions,
        cast(sum(revenue) as decimal(18, 4)) as revenue,
        cast(sum(conversions) as double) / nullif(sum(conversions + non_conversions), 0)
            as conversion_rate
    from transformed
    group by conversion_type, path_kind, path
)

select * from final
