-- One row per scope x conversion type x channel x attribution model x another model: what the
-- choice of the model changes.
with totals as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        channel,
        sum(conversions) as conversions,
        sum(revenue) as revenue
    from {{ ref('attribution_by_channel') }}
    where attribution_scope in ('all', 'personalized')
    group by attribution_model, attribution_scope, conversion_type, channel
),

final as (
    select
        ---------- keys
        totals.attribution_scope,
        totals.conversion_type,
        totals.channel,
        totals.attribution_model,
        compared.attribution_model as compared_model,
        ---------- numbers, and what differs from 0 by a rounding is 0
        totals.conversions,
        compared.conversions as compared_conversions,
        totals.revenue,
        compared.revenue as compared_revenue,
        100e0 * (compared.conversions - totals.conversions)
        / case when abs(totals.conversions) >= 1e-9 then totals.conversions end
            as percent_change,
        100e0 * (compared.revenue - totals.revenue)
        / case when abs(totals.revenue) >= 1e-9 then totals.revenue end
            as revenue_percent_change
    from totals
    inner join totals as compared
        on
            totals.attribution_scope = compared.attribution_scope
            and totals.conversion_type = compared.conversion_type
            and totals.channel = compared.channel
            and totals.attribution_model <> compared.attribution_model
)

select * from final
