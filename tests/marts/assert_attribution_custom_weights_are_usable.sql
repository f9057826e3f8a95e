-- A custom weight is a finite number of at least 0: with a negative one the others would get more
-- than there is.
select
    dimension,
    value,
    weight
from {{ ref('attribution_custom_weights') }}
where
    weight < 0e0
    or weight > 1e12
