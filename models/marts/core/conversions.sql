-- One row per conversion.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    on_schema_change='fail'
) }}
with conversions as (
    select * from {{ ref('int_conversions__valued') }}
    where {{ only_affected() }}
),

final as (
    select
        conversion_id,
        user_key,
        order_id,
        conversion_type,
        revenue,
        clv,
        is_first,
        is_lead,
        converted_at
    from conversions
)

select * from final
