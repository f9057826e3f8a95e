{#-
  How many journeys took each exact path, and how many of them converted. Paths that never led to a conversion are left out: they
  have the rate 0 of a path that was never seen.

  Args:
    journeys: relation of attribution_training_journeys.
-#}
{% macro attribution_path_rates(journeys) -%}
select
    group_number,
    touch_count,
    path_code,
    count(*) as journeys_count,
    cast(sum(case when is_converted then 1 else 0 end) as bigint) as conversions_count
from {{ journeys }}
where path_code is not null
group by group_number, touch_count, path_code
having sum(case when is_converted then 1 else 0 end) > 0
{%- endmacro %}
