-- One row per conversion. A table: lifetime values change without their people.
-- What it holds of the last night is read before it is built anew.
-- depends_on: {{ ref('int_attribution__affected_credits') }}
with conversions as (
    select * from {{ ref('int_attribution__conversions') }}
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
