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

-- A moment uses the version that was valid at its time; before the first version, the first one. Nothing but comparisons with its
-- begin and end in the join: any other condition is evaluated for every pair of rows.
{{ family }}_versions as (
    select
        *,
        case
            when row_number() over (order by valid_from, version) > 1 then valid_from
            else timestamp '0001-01-01'
        end as begins_at,
        coalesce(lead(valid_from) over (order by valid_from, version), timestamp '9999-12-31') as ends_at
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
        coalesce(lead(valid_from) over (partition by user_key order by valid_from), timestamp '9999-12-31') as ends_at
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
        features.feature_at >= {{ family }}.begins_at
        and features.feature_at < {{ family }}.ends_at
    {%- endfor %}
    {%- for family in scored %}
left join {{ family }}_scores as {{ family }}
    on
        features.user_key = {{ family }}.user_key
        and features.feature_at >= {{ family }}.valid_from
        and features.feature_at < {{ family }}.ends_at
    {%- endfor %}
)

select * from final
{%- endmacro %}
