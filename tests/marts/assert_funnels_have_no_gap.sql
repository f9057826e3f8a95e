-- A funnel's steps are numbered from 1 without a gap; each is an event or a conversion, not both.
select funnel
from {{ ref('funnels') }}
group by funnel
having
    max(step_number) <> count(*)
    or sum(case when (event_name is null) = (conversion_type is null) then 1 else 0 end) > 0
