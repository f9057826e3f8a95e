-- One row per scope x conversion x touchpoint: what a model may look at, and each model's credit.
-- A conversion without an eligible touchpoint in the scope is one row without touchpoint, channel
-- 'unattributed'. All models are evaluated in this one pass. Sums over a journey are a group-by
-- that is joined back, which costs half of what a window does.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='conversion_id',
    meta={'affected': 'int_nights__affected_journeys', 'affected_column': 'journey_id'},
    on_schema_change='fail'
) }}
{%- set models = attribution_models() %}

with leads as (
    select
        user_key,
        min(converted_at) as lead_at
    from {{ ref('int_conversions__valued') }}
    where
        is_lead
        and user_key is not null
    group by user_key
),

conversions as (
    select
        valued.*,
        leads.lead_at
    from {{ ref('int_conversions__valued') }} as valued
    left join leads
        on valued.user_key = leads.user_key
    where {{ only_affected('conversion_id', 'int_nights__affected_journeys', 'journey_id') }}
),

journeys_touchpoints as (
    select * from {{ ref('int_journeys__touchpoints') }}
    where
        is_converted
        and {{ only_affected('conversion_id', 'int_nights__affected_journeys', 'journey_id') }}
),

touchpoints as (
    select * from {{ ref('int_touchpoints__collapsed') }}
),

custom_weights as (
    select * from {{ ref('attribution_custom_weights') }}
),

-- Converting journeys only, from here on. A lead that came after the conversion explains nothing.
described as (
    select
        journeys_touchpoints.conversion_id,
        journeys_touchpoints.touchpoint_id,
        touchpoints.touch_type,
        touchpoints.channel,
        touchpoints.campaign_id,
        touchpoints.content_id,
        touchpoints.tactic,
        coalesce(touchpoints.{{ attribution_element() }}, '(none)') as element,
        journeys_touchpoints.touch_number,
        journeys_touchpoints.microseconds_to_conversion,
        touchpoints.base_weight,
        coalesce(touchpoints.engagement_seconds, 0e0) as engagement_seconds,
        touchpoints.is_direct,
        touchpoints.is_paid,
        touchpoints.is_personalized,
        cast(sum(case when touchpoints.is_personalized then 1 else 0 end) over (
            partition by journeys_touchpoints.conversion_id
            order by journeys_touchpoints.touch_number
            rows between unbounded preceding and current row
        ) as bigint) as personalized_number,
        coalesce(
            journeys_touchpoints.touched_at <= conversions.lead_at
            and conversions.lead_at <= conversions.converted_at,
            false
        ) as is_until_lead,
        journeys_touchpoints.touched_at
    from journeys_touchpoints
    inner join conversions
        on journeys_touchpoints.conversion_id = conversions.conversion_id
    inner join touchpoints
        on journeys_touchpoints.touchpoint_id = touchpoints.touchpoint_id
),

scopes as (
    select 'all' as attribution_scope
    union all
    select 'personalized' as attribution_scope
),

-- In the scope `personalized` a journey is numbered over its personalized touchpoints only.
scoped as (
    select
        described.*,
        scopes.attribution_scope,
        case
            when scopes.attribution_scope = 'all' then described.touch_number
            else described.personalized_number
        end as number_in_scope
    from described
    inner join scopes
        on scopes.attribution_scope = 'all' or described.is_personalized
),

element_sums as (
    select
        attribution_scope,
        conversion_id,
        element,
        count(*) as element_count,
        min(microseconds_to_conversion) as last_microseconds_to_conversion,
        min(case when not is_direct then number_in_scope end) as first_non_direct_number,
        max(case when not is_direct then number_in_scope end) as last_non_direct_number,
        max(case when is_paid then number_in_scope end) as last_paid_number,
        max(case when is_until_lead then number_in_scope end) as lead_number
    from scoped
    group by attribution_scope, conversion_id, element
),

journey_sums as (
    select
        attribution_scope,
        conversion_id,
        cast(sum(element_count) as bigint) as touch_count,
        min(last_microseconds_to_conversion) as last_microseconds_to_conversion,
        min(first_non_direct_number) as first_non_direct_number,
        max(last_non_direct_number) as last_non_direct_number,
        max(last_paid_number) as last_paid_number,
        max(lead_number) as lead_number
    from element_sums
    group by attribution_scope, conversion_id
),

-- The columns that a model's weight may use; each is described in the yml of this model.
based as (
    select
        scoped.attribution_scope,
        scoped.conversion_id,
        scoped.touchpoint_id,
        scoped.touch_type,
        scoped.channel,
        scoped.campaign_id,
        scoped.content_id,
        scoped.tactic,
        scoped.element,
        scoped.number_in_scope as touch_number,
        journey_sums.touch_count,
        journey_sums.touch_count - scoped.number_in_scope as touches_to_conversion,
        element_sums.element_count,
        journey_sums.first_non_direct_number,
        journey_sums.last_non_direct_number,
        journey_sums.last_paid_number,
        journey_sums.lead_number,
        scoped.microseconds_to_conversion / 1e6 as seconds_to_conversion,
        (scoped.microseconds_to_conversion - journey_sums.last_microseconds_to_conversion) / 1e6
            as seconds_before_last_touch,
        scoped.base_weight,
        1e0 + scoped.engagement_seconds / nullif(
            scoped.engagement_seconds
            + {{ attribution_setting('engagement_half_saturation_seconds', 0.001, 1000000) }},
            0e0
        ) as engagement_weight,
        coalesce(element_weights.weight, 1e0) * coalesce(touch_type_weights.weight, 1e0)
            as custom_weight,
        scoped.is_direct,
        scoped.is_paid,
        scoped.is_personalized,
        scoped.touched_at
    from scoped
    inner join element_sums
        on
            scoped.attribution_scope = element_sums.attribution_scope
            and scoped.conversion_id = element_sums.conversion_id
            and scoped.element = element_sums.element
    inner join journey_sums
        on
            scoped.attribution_scope = journey_sums.attribution_scope
            and scoped.conversion_id = journey_sums.conversion_id
    left join custom_weights as element_weights
        on
            element_weights.dimension = 'element'
            and scoped.element = element_weights.value
    left join custom_weights as touch_type_weights
        on
            touch_type_weights.dimension = 'touch_type'
            and scoped.touch_type = touch_type_weights.value
),

weighted as (
    select
        {%- for model in models %}
        {{ attribution_weight(model) }} as weight_{{ model }},
        {%- endfor %}
        based.*
    from based
),

totals as (
    select
        {%- for model in models %}
        sum(weight_{{ model }}) as total_{{ model }},
        {%- endfor %}
        attribution_scope,
        conversion_id
    from weighted
    group by attribution_scope, conversion_id
),

journeys as (
    select
        scopes.attribution_scope,
        conversions.conversion_id,
        conversions.user_key,
        conversions.conversion_type,
        cast(conversions.revenue as double) as revenue,
        cast(conversions.clv as double) as clv,
        {%- for model in models %}
        totals.total_{{ model }},
        {%- endfor %}
        conversions.converted_at
    from conversions
    cross join scopes
    left join totals
        on
            scopes.attribution_scope = totals.attribution_scope
            and conversions.conversion_id = totals.conversion_id
),

final as (
    select
        ---------- keys
        journeys.attribution_scope,
        journeys.conversion_id,
        weighted.touchpoint_id,
        journeys.user_key,
        ---------- text
        journeys.conversion_type,
        weighted.touch_type,
        case
            when weighted.touchpoint_id is null then 'unattributed'
            else weighted.channel
        end as channel,
        weighted.campaign_id,
        weighted.content_id,
        case
            when weighted.touchpoint_id is null then 'unattributed'
            else weighted.tactic
        end as tactic,
        weighted.element,
        ---------- numbers
        weighted.touch_number,
        weighted.touch_count,
        weighted.touches_to_conversion,
        weighted.element_count,
        weighted.first_non_direct_number,
        weighted.last_non_direct_number,
        weighted.last_paid_number,
        weighted.lead_number,
        weighted.seconds_to_conversion,
        weighted.seconds_before_last_touch,
        weighted.base_weight,
        weighted.engagement_weight,
        weighted.custom_weight,
        journeys.revenue,
        journeys.clv,
        {%- for model in models %}
        case
            when weighted.touchpoint_id is null then 1e0
            else {{ attribution_credit(model) }}
        end as credit_{{ model }},
        {%- endfor %}
        ---------- booleans
        coalesce(weighted.is_direct, false) as is_direct,
        coalesce(weighted.is_paid, false) as is_paid,
        coalesce(weighted.is_personalized, false) as is_personalized,
        ---------- times
        weighted.touched_at,
        journeys.converted_at
    from journeys
    left join weighted
        on
            journeys.attribution_scope = weighted.attribution_scope
            and journeys.conversion_id = weighted.conversion_id
)

select * from final
