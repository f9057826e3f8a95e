{#-
  The elements of each group (scope x conversion type) of training touches, with their codes: 1 for the most frequent. Beyond a
  limit the rarest become one element, `other`, and with them an element that is really called so.

  Args:
    touches: relation of attribution_training_touches.
    limits: how many elements each kind of model can take, by the name of the kind; it gives <kind>_element and <kind>_code.
-#}
{% macro attribution_training_elements(touches, limits) -%}
with counted as (
    select
        attribution_scope,
        conversion_type,
        element,
        count(*) as touches_count
    from {{ touches }}
    group by attribution_scope, conversion_type, element
),

ranked as (
    select
        counted.*,
        count(*) over (partition by attribution_scope, conversion_type) as elements_count,
        row_number() over (
            partition by attribution_scope, conversion_type
            order by
                case when element = 'other' then 1 else 0 end,
                touches_count desc,
                element
        ) as number_without_other,
        row_number() over (
            partition by attribution_scope, conversion_type
            order by touches_count desc, element
        ) as number_of_all,
        dense_rank() over (order by attribution_scope, conversion_type) as group_number
    from counted
)

select
    group_number,
    attribution_scope,
    conversion_type,
    element,
    touches_count,
    {%- for kind, limit in limits.items() %}
    elements_count > {{ limit }} and number_without_other >= {{ limit }} as {{ kind }}_is_grouped,
    case
        when elements_count > {{ limit }} and number_without_other >= {{ limit }} then 'other'
        else element
    end as {{ kind }}_element,
    case
        when elements_count > {{ limit }} then least(number_without_other, {{ limit }})
        else number_of_all
    end as {{ kind }}_code{{ ',' if not loop.last }}
    {%- endfor %}
from ranked
{%- endmacro %}
