-- One row per conversion type x kind of path x path: how many closed journeys took it, and what
-- came of them. A path is a list, so that no character in a channel's name can break it.
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

closed as (
    select
        journeys.conversion_type,
        journeys.path,
        case when journeys.is_converted then 1 else 0 end as conversions,
        case when journeys.is_converted then 0 else 1 end as non_conversions,
        coalesce(conversions.revenue, 0) as revenue
    from journeys
    left join conversions
        on journeys.conversion_id = conversions.conversion_id
),

-- Each kind is a transform of the one before, so that fewer and shorter paths are left to it.
{%- set kinds = {
    'collapsed': ('closed', path_collapsed('path')),
    'first_occurrences': ('collapsed_paths', path_first_occurrences('path')),
    'unique': ('first_occurrences_paths', path_unique('path')),
} %}
{%- for kind, (coarsened, path) in kinds.items() %}
{{ kind }}_transformed as (
    select
        conversion_type,
        {{ path }} as path,
        conversions,
        non_conversions,
        revenue
    from {{ coarsened }}
),

{{ kind }}_paths as (
    select
        conversion_type,
        path,
        sum(conversions) as conversions,
        sum(non_conversions) as non_conversions,
        sum(revenue) as revenue
    from {{ kind }}_transformed
    group by conversion_type, path
),
{% endfor %}
counted as (
    {%- for kind in kinds %}
    select
        *,
        '{{ kind }}' as path_kind
    from {{ kind }}_paths
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
        cast(conversions as bigint) as conversions,
        cast(non_conversions as bigint) as non_conversions,
        cast(revenue as decimal(18, 4)) as revenue,
        cast(conversions as double) / nullif(conversions + non_conversions, 0) as conversion_rate
    from counted
)

select * from final
