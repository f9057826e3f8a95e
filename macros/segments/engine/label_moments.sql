{#-
  The label of each segment family at the moments that a condition picks.

  Args:
    moments: SQL condition on the rows of int_features__as_of_moment.
-#}
{% macro label_moments(moments) -%}
{%- set versioned = versioned_segment_families() %}
{%- set scored = scored_segment_families() %}
with features as (
    select moments.*
    from {{ ref('int_features__as_of_moment') }} as moments
    {{ join_affected('moments', 'moments.feature_at', keys='int_nights__affected_features') }}
    where {{ moments }}
),

{%- for family in versioned %}

-- A moment uses the version that was valid at its time; before the first version, the first one.
{{ family }}_versions as (
    select
        *,
        row_number() over (order by valid_from, version) = 1 as is_first_version,
        lead(valid_from) over (order by valid_from, version) as valid_to
    from {{ segment_family_part('versions', family) }}
),
{%- endfor %}

{%- for family in scored %}

-- The last score of the person at or before the moment.
{{ family }}_scores as (
    select
        user_key,
        segment,
        valid_from,
        lead(valid_from) over (partition by user_key order by valid_from) as valid_to
    from {{ segment_family_part('scores', family) }}
    where segment_family = '{{ family }}'
),
{%- endfor %}

final as (
    select
        ---------- keys
        features.moment_type,
        features.moment_id,
        features.user_key,
        ---------- text
        {%- for family in segment_families() %}
        coalesce(
            {{ segment_family_part('family', family) | indent(8) }}, 'unclassified'
        )
            as segment_{{ family }},
        {%- endfor %}
        ---------- booleans
        {%- for family in segment_families() %}
        {% if family in versioned -%}
        coalesce(features.feature_at < {{ family }}.valid_from, false)
        {%- else -%} false
        {%- endif %} as is_backfilled_{{ family }},
        {%- endfor %}
        ---------- times
        features.feature_at
    from
        features
    {%- for family in versioned %}
left join {{ family }}_versions as {{ family }}
    on
        ({{ family }}.is_first_version or features.feature_at >= {{ family }}.valid_from)
        and ({{ family }}.valid_to is null or features.feature_at < {{ family }}.valid_to)
    {%- endfor %}
    {%- for family in scored %}
left join {{ family }}_scores as {{ family }}
    on
        features.user_key = {{ family }}.user_key
        and features.feature_at >= {{ family }}.valid_from
        and ({{ family }}.valid_to is null or features.feature_at < {{ family }}.valid_to)
    {%- endfor %}
)

select * from final
{%- endmacro %}
