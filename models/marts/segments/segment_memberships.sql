-- One row per person x segment family x time during which the label was the same.
with labelled_now as (
    select * from {{ ref('int_segments__labelled_now') }}
),

-- The labels of now, of which those that differ from the last one are a change.
labels as (
    select
        user_key,
        segment_family,
        segment,
        is_backfilled,
        valid_from,
        false as is_now
    from {{ ref('int_segments__changes') }}
    {%- for family in membership_families() %}
    union all
    select
        user_key,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment,
        is_backfilled_{{ family }} as is_backfilled,
        feature_at as valid_from,
        true as is_now
    from labelled_now
    {%- endfor %}
),

compared as (
    select
        *,
        lag(segment) over (
            partition by user_key, segment_family order by valid_from, is_now
        ) as previous_segment
    from labels
),

changes as (
    select * from compared
    where
        previous_segment is null
        or previous_segment <> segment
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
