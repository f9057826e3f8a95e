-- One row per person x segment family x time during which the label was the same.
with labelled_moments as (
    select * from {{ ref('int_segments__labelled_moments') }}
    union all
    select * from {{ ref('int_segments__labelled_now') }}
),

compared as (
    select
        {%- for family in segment_families() %}
        lag(segment_{{ family }}) over person as previous_{{ family }},
        {%- endfor %}
        *
    from labelled_moments
    window person as (partition by user_key order by feature_at, moment_type, moment_id)
),

changes as (
    {%- for family in segment_families() %}
    select
        user_key,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        is_backfilled_{{ family }} as is_backfilled,
        feature_at as valid_from
    from compared
    where
        previous_{{ family }} is null
        or previous_{{ family }} <> segment_{{ family }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

ended as (
    select
        *,
        lead(valid_from) over (
            partition by user_key, segment_family order by valid_from
        ) as valid_to
    from changes
),

final as (
    select
        ---------- keys
        user_key,
        segment_family,
        ---------- text
        segment,
        ---------- booleans
        valid_to is null as is_current,
        is_backfilled,
        ---------- times
        valid_from,
        valid_to
    from ended
)

select * from final
