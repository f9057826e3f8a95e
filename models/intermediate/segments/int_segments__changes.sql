-- One row per person x segment family x moment from which the label is another than before.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'valid_from', 'affected': 'int_nights__affected_features'},
    on_schema_change='fail'
) }}
with labelled_moments as (
    select moments.*
    from {{ ref('int_segments__labelled_moments') }} as moments
    {{ join_affected('moments', 'moments.feature_at', keys='int_nights__affected_features') }}
),

-- The label that a person came with into the moments that are looked at.
{%- if adds_to_built() %}
labels_before as (
    select
        {%- for family in membership_families() %}
        max_by(built.segment, built.valid_from)
        filter (where built.segment_family = '{{ family }}') as segment_{{ family }},
        {%- endfor %}
        built.user_key
    from {{ this }} as built
    inner join {{ ref('int_nights__affected_features') }} as affected
        on
            built.user_key = affected.user_key
            and built.valid_from < affected.from_at
    group by built.user_key
),
{%- else %}
labels_before as (
    select
        {%- for family in membership_families() %}
        cast(null as varchar) as segment_{{ family }},
        {%- endfor %}
        user_key
    from labelled_moments
    where 1 = 0
),
{%- endif %}

compared as (
    select
        {%- for family in membership_families() %}
        coalesce(
            lag(labelled_moments.segment_{{ family }}) over person,
            labels_before.segment_{{ family }}
        ) as previous_{{ family }},
        {%- endfor %}
        labelled_moments.*
    from labelled_moments
    left join labels_before
        on labelled_moments.user_key = labels_before.user_key
    window person as (
        partition by labelled_moments.user_key
        order by
            labelled_moments.feature_at, labelled_moments.moment_type, labelled_moments.moment_id
    )
),

final as (
    {%- for family in membership_families() %}
    select
        ---------- keys
        user_key,
        '{{ family }}' as segment_family,
        ---------- text
        segment_{{ family }} as segment,
        ---------- booleans
        is_backfilled_{{ family }} as is_backfilled,
        ---------- times
        feature_at as valid_from
    from compared
    where
        previous_{{ family }} is null
        or previous_{{ family }} <> segment_{{ family }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select * from final
