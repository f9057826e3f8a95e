-- One row per scope x conversion type x segment family x segment with credit: what aggregates show
-- of it.
with people as (
    select
        attribution_scope,
        conversion_type,
        user_key,
        {{ segment_columns() | join(',\n        ') }}
    from {{ ref('int_attribution__labelled') }}
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

final as (
    {{ shown_segments(
        'people_of_segments', ['attribution_scope', 'conversion_type', 'segment_family']
    ) }}
)

select * from final
