{#-
  The touchpoints that data-driven models learn from, as scope, conversion type, journey, person, number of the touchpoint and
  element: those of the closed journeys of the last var training_days, numbered within each scope as the engine numbers them.
-#}
{% macro attribution_training_touches() -%}
with closed_journeys as (
    select
        journey_id,
        conversion_type,
        is_converted
    from {{ ref('int_journeys__journeys') }}
    where
        not is_open
        and touch_count > 0
        and ended_at >= {{ as_of() }} - {{ days_interval(attribution_setting('training_days', 1, 36500)) }}
),

touches as (
    select
        closed_journeys.conversion_type,
        journeys_touchpoints.journey_id,
        journeys_touchpoints.user_key,
        journeys_touchpoints.touch_number,
        closed_journeys.is_converted,
        touchpoints.is_personalized,
        touchpoints.channel,
        coalesce(touchpoints.{{ attribution_element() }}, '(none)') as element,
        coalesce(touchpoints.campaign_id, '(none)') as campaign
    from closed_journeys
    inner join {{ ref('int_journeys__touchpoints') }} as journeys_touchpoints
        on closed_journeys.journey_id = journeys_touchpoints.journey_id
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on journeys_touchpoints.touchpoint_id = touchpoints.touchpoint_id
)

select
    'all' as attribution_scope,
    conversion_type,
    journey_id,
    user_key,
    cast(touch_number as bigint) as touch_number,
    element,
    is_converted
from touches
union all
select
    'personalized' as attribution_scope,
    conversion_type,
    journey_id,
    user_key,
    row_number() over (partition by journey_id order by touch_number) as touch_number,
    element,
    is_converted
from touches
where is_personalized
union all
select
    'channel:' || channel as attribution_scope,
    conversion_type,
    journey_id,
    user_key,
    row_number() over (partition by journey_id, channel order by touch_number) as touch_number,
    campaign as element,
    is_converted
from touches
{%- endmacro %}
