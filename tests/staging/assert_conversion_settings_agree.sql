-- Definitions of one conversion type have the same settings: a journey has one boundary.
select
    conversion_type,
    count(
        distinct row(lookback_days, journey_boundary, is_lead, is_order)
    ) as settings_count
from {{ ref('conversion_definitions') }}
group by conversion_type
having count(distinct row(lookback_days, journey_boundary, is_lead, is_order)) > 1
