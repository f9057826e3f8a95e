-- Per attribution model, scope and conversion the credit sums to 1 within 1e-9, and no share is
-- missing, negative or above 1.
with summed as (
    select
        attribution_model,
        attribution_scope,
        conversion_id,
        sum(credit) as credit,
        min(credit) as smallest_credit,
        max(credit) as largest_credit,
        count(*) - count(credit) as missing_credits
    from {{ ref('attribution_credits') }}
    group by attribution_model, attribution_scope, conversion_id
)

select * from summed
where
    missing_credits > 0
    or abs(credit - 1e0) > 1e-9
    or smallest_credit < 0e0
    or largest_credit > 1e0 + 1e-9
