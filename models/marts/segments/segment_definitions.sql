-- One row per segment family x segment.
with memberships as (
    select * from {{ ref('segment_memberships') }}
),

-- What the families' files say of their segments; '*' describes the segments that take their
-- names from the data.
declared as (
    {%- for family in segment_families() %}
    {%- set catalog = segment_family_part('catalog', family) %}
    {%- for segment, description in catalog.segments.items() %}
    select
        '{{ family }}' as segment_family,
        '{{ segment | replace("'", "''") }}' as segment,
        '{{ description | replace("'", "''") }}' as description
    union all
    {%- endfor %}
    select
        '{{ family }}' as segment_family,
        'unclassified' as segment,
        'What the family needs to know is not known' as description
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

kinds as (
    {%- for family in segment_families() %}
    select
        '{{ family }}' as segment_family,
        '{{ segment_family_part('catalog', family).kind }}' as kind
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

counted as (
    select
        segment_family,
        segment,
        cast(sum(case when is_current then 1 else 0 end) as bigint) as members
    from memberships
    group by segment_family, segment
),

segments as (
    select
        segment_family,
        segment
    from declared
    where segment <> '*'
    union
    select
        segment_family,
        segment
    from counted
),

final as (
    select
        ---------- keys
        segments.segment_family,
        segments.segment,
        ---------- text
        coalesce(declared.description, patterns.description) as description,
        kinds.kind,
        ---------- numbers
        coalesce(counted.members, 0) as members
    from segments
    inner join kinds
        on segments.segment_family = kinds.segment_family
    left join declared
        on
            segments.segment_family = declared.segment_family
            and segments.segment = declared.segment
    left join declared as patterns
        on
            segments.segment_family = patterns.segment_family
            and patterns.segment = '*'
    left join counted
        on
            segments.segment_family = counted.segment_family
            and segments.segment = counted.segment
)

select * from final
