-- One row per conversion, with the lifetime value of its person.
with conversions as (
    select * from {{ ref('int_conversions__valued') }}
),

clv_scores as (
    select * from {{ source('ml', 'clv_scores') }}
),

final as (
    select
        conversions.conversion_id,
        conversions.user_key,
        conversions.order_id,
        conversions.conversion_type,
        conversions.revenue,
        -- What is expected to come is expected of orders.
        cast(
            conversions.lifetime_revenue + case
                when conversions.is_first and conversions.order_id is not null
                    then coalesce(clv_scores.residual_clv, 0)
                else 0
            end as decimal(18, 4)
        ) as clv,
        conversions.is_first,
        conversions.is_lead,
        conversions.converted_at
    from conversions
    left join clv_scores
        on conversions.user_key = clv_scores.user_key
)

select * from final
