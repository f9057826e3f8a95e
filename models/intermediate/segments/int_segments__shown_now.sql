-- One row per person x segment family, and the family all: the segment of now, as aggregates
-- show it.
with labelled_now as (
    select * from {{ ref('int_segments__labelled_now') }}
),

labels as (
    {%- for family in membership_families() %}
    select
        user_key,
        '{{ family }}' as segment_family,
        segment_{{ family }} as segment
    from labelled_now
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

shown as (
    {{ shown_segments('labels', ['segment_family']) }}
),

-- Everybody together may be too few: all is all the same, since it tells nobody apart.
final as (
    select
        user_key,
        'all' as segment_family,
        'all' as segment
    from labelled_now
    union all
    select
        labels.user_key,
        labels.segment_family,
        shown.shown_segment as segment
    from labels
    inner join shown
        on
            labels.segment_family = shown.segment_family
            and labels.segment = shown.segment
)

select * from final
