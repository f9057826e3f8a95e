-- Landed orders are conversions of one type: two definitions would count each order twice.
select
    source,
    count(*) as definitions_count
from {{ ref('conversion_definitions') }}
where source = 'orders'
group by source
having count(*) > 1
