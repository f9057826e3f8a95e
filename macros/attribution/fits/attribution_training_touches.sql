{#-
  The closed journeys of the last var training_days, numbered: the journeys that data-driven models learn from.
-#}
{% macro attribution_closed_journeys() -%}
select
    row_number() over () as journey_number,
    journey_id,
    user_key,
    conversion_type,
    is_converted
from {{ ref('int_journeys__journeys') }}
where
    not is_open
    and touch_count > 0
    and ended_at >= {{ as_of() }} - {{ days_interval(attribution_setting('training_days', 1, 36500)) }}
{%- endmacro %}


{#-
  The touchpoints that data-driven models learn from, as scope, conversion type, journey, number of the touchpoint and element,
  numbered within each scope as the engine numbers them.

  Args:
    closed_journeys: relation of attribution_closed_journeys.
-#}
{% macro attribution_training_touches(closed_journeys) -%}
with touches as (
    select
        closed_journeys.conversion_type,
        closed_journeys.journey_number,
        journeys_touchpoints.touch_number,
        closed_journeys.is_converted,
        touchpoints.is_personalized,
        touchpoints.channel,
        coalesce(touchpoints.{{ attribution_element() }}, '(none)') as element,
        coalesce(touchpoints.campaign_id, '(none)') as campaign
    from {{ closed_journeys }} as closed_journeys
    inner join {{ ref('int_journeys__touchpoints') }} as journeys_touchpoints
        on closed_journeys.journey_id = journeys_touchpoints.journey_id
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on journeys_touchpoints.touchpoint_id = touchpoints.touchpoint_id
)

select
    'all' as attribution_scope,
    conversion_type,
    journey_number,
    cast(touch_number as bigint) as touch_number,
    element,
    is_converted
from touches
union all
select
    'personalized' as attribution_scope,
    conversion_type,
    journey_number,
    row_number() over (partition by journey_number order by touch_number) as touch_number,
    element,
    is_converted
from touches
where is_personalized
union all
select
    'channel:' || channel as attribution_scope,
    conversion_type,
    journey_number,
    row_number() over (partition by journey_number, channel order by touch_number) as touch_number,
    campaign as element,
    is_converted
from touches
{%- endmacro %}
