-- What a model would move of a month's spend adds up to 0, where it credits any revenue.
select
    attribution_model,
    attribution_scope,
    conversion_type,
    credited_month,
    dimension,
    sum(spend_change) as moved,
    sum(spend) as spend
from {{ ref('attribution_budget_reallocation') }}
where revenue_share is not null
group by attribution_model, attribution_scope, conversion_type, credited_month, dimension
having abs(sum(spend_change)) > 1e-9 * greatest(sum(spend), 1)
