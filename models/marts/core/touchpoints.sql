-- One row per touchpoint.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'touched_at'},
    on_schema_change='fail'
) }}
with touchpoints as (
    select touchpoints.*
    from {{ ref('int_touchpoints__collapsed') }} as touchpoints
    {{ join_affected('touchpoints', 'touchpoints.touched_at') }}
),

final as (
    select
        touchpoint_id,
        user_key,
        session_id,
        campaign_id,
        content_id,
        template_id,
        variant_id,
        experiment_id,
        touch_type,
        channel,
        tactic,
        base_weight,
        collapsed_count,
        cost,
        is_personalized,
        is_paid,
        is_direct,
        is_eligible,
        touched_at,
        eligible_until
    from touchpoints
)

select * from final
