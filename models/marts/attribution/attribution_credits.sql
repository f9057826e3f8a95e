-- One row per attribution model x scope x conversion x touchpoint; a conversion without an eligible
-- touchpoint in the scope is one row without touchpoint, channel 'unattributed', credit 1.
-- Stacked model by model, so that the rows of one model lie together: readers filter by it.
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

stacked as (
    {%- for model in attribution_models() %}
    select
        apportioned.*,
        credit_{{ model }} as credit,
        '{{ model }}' as attribution_model
    from apportioned
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        ---------- keys
        attribution_model,
        attribution_scope,
        conversion_id,
        touchpoint_id,
        user_key,
        ---------- text
        conversion_type,
        channel,
        campaign_id,
        content_id,
        tactic,
        ---------- numbers
        credit,
        credit * revenue as credited_revenue,
        credit * clv as credited_clv,
        ---------- booleans
        is_personalized,
        ---------- times
        touched_at,
        converted_at
    from stacked
)

select * from final
