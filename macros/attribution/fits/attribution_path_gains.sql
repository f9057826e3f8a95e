{#-
  What each element's touchpoints added to the rates of the converting paths: max(P(path) - P(path without the touchpoint), 0),
  the mean over its touchpoints in converting journeys.

  Args:
    rates: relation of attribution_path_rates.
-#}
{% macro attribution_path_gains(rates) -%}
with places as (
    select
        rates.*,
        {{ explode_range('1', 'touch_count') }} as touch_number
    from {{ rates }} as rates
),

shortened as (
    select
        places.*,
        cast(
            (path_code >> cast(6 * (touch_number - 1) as hugeint)) & cast(63 as hugeint) as bigint
        ) + 1 as code,
        touch_count - 1 as shorter_touch_count,
        {{ path_code_without('path_code', 'touch_number') }} as shorter_path_code
    from places
)

select
    shortened.group_number,
    shortened.code as state,
    sum(
        shortened.conversions_count * greatest(
            cast(shortened.conversions_count as double) / shortened.journeys_count
            - coalesce(cast(rates.conversions_count as double) / rates.journeys_count, 0e0),
            0e0
        )
    ) / sum(shortened.conversions_count) as mean_gain
from shortened
left join {{ rates }} as rates
    on
        shortened.group_number = rates.group_number
        and shortened.shorter_touch_count = rates.touch_count
        and shortened.shorter_path_code = rates.path_code
group by shortened.group_number, shortened.code
{%- endmacro %}
