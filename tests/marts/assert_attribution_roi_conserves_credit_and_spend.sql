-- Per attribution model, scope, conversion type, dimension and date basis the conversions and revenue
-- are those of the credits, and the spend is all that was spent; spend that nobody told of is null.
with roi as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        dimension,
        date_basis,
        sum(conversions) as conversions,
        sum(revenue) as revenue,
        sum(spend) as spend,
        sum(case when spend is null and (cpa is not null or roi is not null) then 1 else 0 end)
            as claims_without_spend
    from {{ ref('attribution_roi') }}
    group by attribution_model, attribution_scope, conversion_type, dimension, date_basis
),

credits as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        sum(credit) as conversions,
        sum(credited_revenue) as revenue
    from {{ ref('attribution_credits') }}
    group by attribution_model, attribution_scope, conversion_type
),

-- A month of a channel of which a part is not known counts as not known in the dimension channel.
known_months as (
    select
        date_trunc('month', spend_date) as spend_month,
        channel,
        sum(spend) as spend
    from {{ ref('spend_daily') }}
    group by date_trunc('month', spend_date), channel
    having count(*) = count(spend)
),

known as (
    select coalesce(sum(spend), 0) as spend from known_months
)

select
    roi.*,
    credits.conversions as credited_conversions,
    credits.revenue as credited_revenue,
    known.spend as known_spend
from roi
full outer join credits
    on
        roi.attribution_model = credits.attribution_model
        and roi.attribution_scope = credits.attribution_scope
        and roi.conversion_type = credits.conversion_type
cross join known
where
    not coalesce(abs(roi.conversions - credits.conversions) <= 1e-9 * credits.conversions, false)
    or not coalesce(
        abs(roi.revenue - credits.revenue) <= 1e-9 * greatest(abs(credits.revenue), 1), false
    )
    or (roi.dimension = 'channel' and coalesce(roi.spend, 0) <> known.spend)
    or (roi.dimension = 'campaign' and coalesce(roi.spend, 0) < known.spend)
    or roi.claims_without_spend > 0
