-- One row per scope all or personalized x conversion x touchpoint: its credit, and the segment of
-- each family that it counts for. That is the person's as of the touch; where there is no touch, as
-- of the conversion; of nobody known, unclassified.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='conversion_id',
    meta={'affected': 'int_attribution__affected_credits'},
    on_schema_change='fail'
) }}
with apportioned as (
    select * from {{ ref('int_attribution__apportioned') }}
    where
        attribution_scope in ('all', 'personalized')
        and {{ only_affected(
            'conversion_id', 'int_attribution__affected_credits', 'conversion_id'
        ) }}
),

labelled_moments as (
    select * from {{ ref('int_segments__labelled_moments') }}
    where moment_type in ('touch', 'conversion')
),

final as (
    select
        ---------- keys
        apportioned.attribution_scope,
        apportioned.conversion_id,
        apportioned.touchpoint_id,
        apportioned.user_key,
        ---------- dimensions
        apportioned.conversion_type,
        cast(apportioned.converted_at as date) as converted_date,
        apportioned.channel,
        coalesce(apportioned.tactic, 'none') as tactic,
        {%- for column in segment_columns() %}
        coalesce(labelled_moments.{{ column }}, 'unclassified') as {{ column }},
        {%- endfor %}
        ---------- numbers
        {%- for model in attribution_models() %}
        apportioned.credit_{{ model }},
        {%- endfor %}
        apportioned.revenue,
        apportioned.clv
    from apportioned
    left join labelled_moments
        on
            labelled_moments.moment_type
            = case when apportioned.touchpoint_id is null then 'conversion' else 'touch' end
            and labelled_moments.moment_id
            = coalesce(apportioned.touchpoint_id, apportioned.conversion_id)
)

select * from final
