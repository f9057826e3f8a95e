-- One row per conversion.
with conversions as (
    select * from {{ ref('int_conversions__valued') }}
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
