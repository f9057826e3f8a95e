-- One row per scope x conversion x touchpoint: what a model may look at, and each model's credit. A
-- conversion without an eligible touchpoint in the scope is one row without touchpoint, channel
-- 'unattributed'. A scope channel:<name> holds the conversions with a touchpoint of the channel,
-- and its elements are campaigns. All models are evaluated in this one pass. Sums over a journey
-- are a group-by that is joined back, which costs half of what a window does.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='conversion_id',
    meta={'affected': 'int_attribution__affected_credits'},
    on_schema_change='fail'
) }}
{%- set models = attribution_models() %}
{%- set learned = ['markov_1', 'markov_2', 'markov_3', 'shapley'] %}
with element_weights as (
    select * from {{ source('ml', 'attribution_element_weights') }}
    where replicate = 0
),

path_rates as (
    select * from {{ source('ml', 'attribution_path_rates') }}
),

fitted_versions as (
    select distinct
        version,
        valid_from
    from element_weights
),

types_of_versions as (
    select distinct
        version,
        conversion_type
    from element_weights
),

-- A version holds from its moment until the next one's; the first also before.
versions as (
    select
        version,
        valid_from,
        case
            when lag(valid_from) over (order by valid_from) is null then timestamp '0001-01-01'
            else valid_from
        end as begins_at,
        coalesce(lead(valid_from) over (order by valid_from), timestamp '9999-12-31') as ends_at
    from fitted_versions
),

-- What was learned of one conversion type in one version.
weight_sets as (
    select
        versions.*,
        types_of_versions.conversion_type,
        row_number()
            over (order by versions.version, types_of_versions.conversion_type)
            as weight_set
    from versions
    inner join types_of_versions
        on versions.version = types_of_versions.version
),

weights_of_sets as (
    select
        weight_sets.weight_set,
        element_weights.attribution_scope,
        element_weights.element,
        max(
            case
                when element_weights.attribution_model = 'leave_one_out'
                    then element_weights.element_code
            end
        ) as element_code,
        {%- for model in learned %}
        max(
            case
                when element_weights.attribution_model = '{{ model }}' then element_weights.weight
            end
        ) as learned_{{ model }},
        {%- endfor %}
        element_weights.is_grouped
    from element_weights
    inner join weight_sets
        on
            element_weights.version = weight_sets.version
            and element_weights.conversion_type = weight_sets.conversion_type
    group by
        weight_sets.weight_set,
        element_weights.attribution_scope,
        element_weights.element,
        element_weights.is_grouped
),

rates_of_sets as (
    select
        weight_sets.weight_set,
        path_rates.attribution_scope,
        path_rates.touch_count,
        path_rates.path_code,
        cast(path_rates.conversions_count as double) / path_rates.journeys_count as path_rate
    from path_rates
    inner join weight_sets
        on
            path_rates.version = weight_sets.version
            and path_rates.conversion_type = weight_sets.conversion_type
),

leads as (
    select
        user_key,
        min(converted_at) as lead_at
    from {{ ref('int_attribution__conversions') }}
    where
        is_lead
        and user_key is not null
    group by user_key
),

conversions as (
    select
        valued.*,
        leads.lead_at,
        weight_sets.weight_set,
        weight_sets.version as weights_version,
        coalesce(valued.converted_at < weight_sets.valid_from, false) as is_backfilled
    from {{ ref('int_attribution__conversions') }} as valued
    left join leads
        on valued.user_key = leads.user_key
    left join weight_sets
        on
            valued.conversion_type = weight_sets.conversion_type
            and valued.converted_at >= weight_sets.begins_at
            and valued.converted_at < weight_sets.ends_at
    where {{ only_affected('conversion_id', 'int_attribution__affected_credits', 'conversion_id') }}
),

journeys_touchpoints as (
    select * from {{ ref('int_journeys__touchpoints') }}
    where
        is_converted
        and {{ only_affected(
            'conversion_id', 'int_attribution__affected_credits', 'conversion_id'
        ) }}
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
        conversions.weight_set,
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
        row_number() over (
            partition by journeys_touchpoints.conversion_id, touchpoints.channel
            order by journeys_touchpoints.touch_number
        ) as number_in_channel,
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
    select 'all' as scope_kind
    union all
    select 'personalized' as scope_kind
    union all
    select 'channel' as scope_kind
),

-- A journey is numbered within its scope: in `personalized` over its personalized touchpoints only,
-- in channel:<name> over those of the channel.
scoped as (
    select
        described.* exclude (element),
        case
            when scopes.scope_kind = 'channel' then 'channel:' || described.channel
            else scopes.scope_kind
        end as attribution_scope,
        case
            when scopes.scope_kind = 'channel' then coalesce(described.campaign_id, '(none)')
            else described.element
        end as element,
        case
            when scopes.scope_kind = 'all' then described.touch_number
            when scopes.scope_kind = 'personalized' then described.personalized_number
            else described.number_in_channel
        end as number_in_scope
    from described
    inner join scopes
        on scopes.scope_kind <> 'personalized' or described.is_personalized
),

counted_elements as (
    select
        attribution_scope,
        conversion_id,
        element,
        min(weight_set) as weight_set,
        count(*) as element_count,
        bit_or({{ path_place('number_in_scope') }}) as path_places,
        min(microseconds_to_conversion) as last_microseconds_to_conversion,
        min(case when not is_direct then number_in_scope end) as first_non_direct_number,
        max(case when not is_direct then number_in_scope end) as last_non_direct_number,
        max(case when is_paid then number_in_scope end) as last_paid_number,
        max(case when is_until_lead then number_in_scope end) as lead_number
    from scoped
    group by attribution_scope, conversion_id, element
),

-- An element that a version does not name is one of its `other`, if it has that.
element_sums as (
    select
        counted_elements.*,
        coalesce(own_weights.element_code, grouped_weights.element_code) as element_code,
        {%- for model in learned %}
        coalesce(own_weights.learned_{{ model }}, grouped_weights.learned_{{ model }})
            as learned_{{ model }},
        {%- endfor %}
        own_weights.element_code is null and grouped_weights.element_code is not null as is_other,
        own_weights.learned_shapley is null
        and grouped_weights.learned_shapley is not null as is_other_of_shapley
    from counted_elements
    left join weights_of_sets as own_weights
        on
            counted_elements.weight_set = own_weights.weight_set
            and counted_elements.attribution_scope = own_weights.attribution_scope
            and counted_elements.element = own_weights.element
            and not own_weights.is_grouped
    left join weights_of_sets as grouped_weights
        on
            counted_elements.weight_set = grouped_weights.weight_set
            and counted_elements.attribution_scope = grouped_weights.attribution_scope
            and grouped_weights.is_grouped
),

journey_sums as (
    select
        attribution_scope,
        conversion_id,
        min(weight_set) as weight_set,
        cast(sum(element_count) as bigint) as touch_count,
        sum(case when is_other then element_count end) as other_count,
        sum(case when is_other_of_shapley then element_count end) as other_count_of_shapley,
        case
            when
                sum(element_count) <= {{ longest_exact_path() }}
                and count(element_code) = count(*)
                then bit_or(cast(element_code as hugeint) * path_places)
        end as path_code,
        min(last_microseconds_to_conversion) as last_microseconds_to_conversion,
        min(first_non_direct_number) as first_non_direct_number,
        max(last_non_direct_number) as last_non_direct_number,
        max(last_paid_number) as last_paid_number,
        max(lead_number) as lead_number
    from element_sums
    group by attribution_scope, conversion_id
),

journeys_with_rates as (
    select
        journey_sums.*,
        coalesce(rates.path_rate, 0e0) as path_rate
    from journey_sums
    left join rates_of_sets as rates
        on
            journey_sums.weight_set = rates.weight_set
            and journey_sums.attribution_scope = rates.attribution_scope
            and journey_sums.touch_count = rates.touch_count
            and journey_sums.path_code = rates.path_code
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
        journeys.touch_count,
        journeys.touch_count - scoped.number_in_scope as touches_to_conversion,
        element_sums.element_count,
        coalesce(
            case when element_sums.is_other then journeys.other_count end,
            element_sums.element_count
        ) as learned_element_count,
        coalesce(
            case when element_sums.is_other_of_shapley then journeys.other_count_of_shapley end,
            element_sums.element_count
        ) as shapley_element_count,
        journeys.first_non_direct_number,
        journeys.last_non_direct_number,
        journeys.last_paid_number,
        journeys.lead_number,
        {%- for model in learned %}
        element_sums.learned_{{ model }},
        {%- endfor %}
        journeys.path_rate,
        coalesce(shorter_rates.path_rate, 0e0) as shorter_path_rate,
        scoped.microseconds_to_conversion / 1e6 as seconds_to_conversion,
        (scoped.microseconds_to_conversion - journeys.last_microseconds_to_conversion) / 1e6
            as seconds_before_last_touch,
        scoped.base_weight,
        1e0 + scoped.engagement_seconds / nullif(
            scoped.engagement_seconds
            + {{ attribution_setting('engagement_half_saturation_seconds', 0.001, 1000000) }},
            0e0
        ) as engagement_weight,
        coalesce(custom_element_weights.weight, 1e0) * coalesce(touch_type_weights.weight, 1e0)
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
    inner join journeys_with_rates as journeys
        on
            scoped.attribution_scope = journeys.attribution_scope
            and scoped.conversion_id = journeys.conversion_id
    left join rates_of_sets as shorter_rates
        on
            journeys.weight_set = shorter_rates.weight_set
            and journeys.attribution_scope = shorter_rates.attribution_scope
            -- A path that never converted gains nothing; a null here, and not a condition of its
            -- own, keeps the join a hash join.
            and case when journeys.path_rate > 0e0 then journeys.touch_count - 1 end
            = shorter_rates.touch_count
            and {{ path_code_without('journeys.path_code', 'scoped.number_in_scope') }}
            = shorter_rates.path_code
    left join custom_weights as custom_element_weights
        on
            custom_element_weights.dimension = 'element'
            and scoped.element = custom_element_weights.value
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

-- Every conversion is in the scopes all and personalized, and in those of the channels that it was
-- touched by.
scopes_of_conversions as (
    select
        conversion_id,
        'all' as attribution_scope
    from conversions
    union all
    select
        conversion_id,
        'personalized' as attribution_scope
    from conversions
    union all
    select
        conversion_id,
        attribution_scope
    from totals
    where attribution_scope not in ('all', 'personalized')
),

journeys as (
    select
        scopes_of_conversions.attribution_scope,
        conversions.conversion_id,
        conversions.user_key,
        conversions.conversion_type,
        cast(conversions.revenue as double) as revenue,
        cast(conversions.clv as double) as clv,
        {%- for model in models %}
        totals.total_{{ model }},
        {%- endfor %}
        conversions.weights_version,
        conversions.is_backfilled,
        conversions.converted_at
    from conversions
    inner join scopes_of_conversions
        on conversions.conversion_id = scopes_of_conversions.conversion_id
    left join totals
        on
            scopes_of_conversions.attribution_scope = totals.attribution_scope
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
        weighted.learned_element_count,
        weighted.shapley_element_count,
        {%- for model in learned %}
        weighted.learned_{{ model }},
        {%- endfor %}
        weighted.path_rate,
        weighted.shorter_path_rate,
        weighted.first_non_direct_number,
        weighted.last_non_direct_number,
        weighted.last_paid_number,
        weighted.lead_number,
        weighted.seconds_to_conversion,
        weighted.seconds_before_last_touch,
        weighted.base_weight,
        weighted.engagement_weight,
        weighted.custom_weight,
        journeys.weights_version,
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
        journeys.is_backfilled,
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
