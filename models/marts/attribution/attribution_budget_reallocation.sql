-- One row per attribution model x scope x conversion type x month x dimension x channel x campaign:
-- what the model would move if the month's spend followed the revenue that it credits. It divides what
-- was spent, so the moves of a month add up to 0; it does not know what more spend would bring.
with roi as (
    select * from {{ ref('attribution_roi') }}
    where
        date_basis = 'touch'
        and spend is not null
),

totals as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        credited_month,
        dimension,
        cast(sum(spend) as double) as spend,
        sum(greatest(revenue, 0e0)) as revenue
    from roi
    group by attribution_model, attribution_scope, conversion_type, credited_month, dimension
),

shared as (
    select
        roi.*,
        cast(roi.spend as double) / nullif(totals.spend, 0e0) as spend_share,
        greatest(roi.revenue, 0e0) / nullif(totals.revenue, 0e0) as revenue_share,
        totals.spend as month_spend
    from roi
    inner join totals
        on
            roi.attribution_model = totals.attribution_model
            and roi.attribution_scope = totals.attribution_scope
            and roi.conversion_type = totals.conversion_type
            and roi.credited_month = totals.credited_month
            and roi.dimension = totals.dimension
),

final as (
    select
        ---------- keys
        attribution_model,
        attribution_scope,
        conversion_type,
        credited_month,
        dimension,
        channel,
        campaign_id,
        ---------- numbers
        spend,
        revenue,
        spend_share,
        revenue_share,
        month_spend * revenue_share as proposed_spend,
        month_spend * revenue_share - cast(spend as double) as spend_change
    from shared
)

select * from final
