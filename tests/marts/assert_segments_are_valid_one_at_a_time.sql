-- Per person and family: one current segment, and each validity ends where the next begins.
with followed as (
    select
        *,
        lead(valid_from) over (
            partition by user_key, segment_family order by valid_from
        ) as next_valid_from
    from {{ ref('segment_memberships') }}
),

families as (
    {%- for family in membership_families() %}
    select '{{ family }}' as segment_family
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

currents as (
    select
        profiles.user_key,
        families.segment_family,
        count(memberships.segment) as currents_count
    from {{ ref('user_profiles') }} as profiles
    cross join families
    left join {{ ref('segment_memberships') }} as memberships
        on
            profiles.user_key = memberships.user_key
            and families.segment_family = memberships.segment_family
            and memberships.is_current
    group by profiles.user_key, families.segment_family
)

select
    user_key,
    segment_family,
    'validity' as problem
from followed
where
    valid_to <= valid_from
    or coalesce(valid_to <> next_valid_from, false)
    or is_current <> (next_valid_from is null)
union all
select
    user_key,
    segment_family,
    'current' as problem
from currents
where currents_count <> 1
