-- In the scope `personalized` only personalized touchpoints have credit; the rest is unattributed.
select
    attribution_model,
    conversion_id,
    touchpoint_id
from {{ ref('attribution_credits') }}
where
    attribution_scope = 'personalized'
    and touchpoint_id is not null
    and not is_personalized
