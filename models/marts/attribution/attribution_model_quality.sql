-- One row per attribution model x conversion type, of the run: how well the credit of a training
-- period tells which journeys of the 28 days after it convert, and how steady it is.
-- The training period ends and the 28 days begin where the outcome of every journey is known by now.
{%- set models = attribution_models() %}
with types as (
    select
        conversion_type,
        {{ as_of() }} - {{ days_interval('lookback_days') }} as heldout_until,
        {{ as_of() }} - {{ days_interval('lookback_days + 28') }} as heldout_from,
        {{ as_of() }}
        - {{ days_interval('lookback_days + 28 + ' ~ attribution_setting('training_days', 1, 36500)) }}
            as training_from
    from {{ ref('int_conversions__types') }}
),

-- A journey belongs to the day of its last touch, whether it converts or not.
journeys as (
    select
        journeys.journey_id,
        journeys.conversion_type,
        journeys.is_converted,
        max(journeys_touchpoints.touched_at) >= types.heldout_from as is_heldout
    from {{ ref('int_journeys__journeys') }} as journeys
    inner join types
        on journeys.conversion_type = types.conversion_type
    inner join {{ ref('int_journeys__touchpoints') }} as journeys_touchpoints
        on journeys.journey_id = journeys_touchpoints.journey_id
    where not journeys.is_open
    group by
        journeys.journey_id,
        journeys.conversion_type,
        journeys.is_converted,
        types.training_from,
        types.heldout_from,
        types.heldout_until
    having
        max(journeys_touchpoints.touched_at) >= types.training_from
        and max(journeys_touchpoints.touched_at) < types.heldout_until
),

elements_of_journeys as (
    select
        journeys.journey_id,
        journeys.conversion_type,
        journeys.is_converted,
        journeys.is_heldout,
        coalesce(touchpoints.{{ attribution_element() }}, '(none)') as element,
        count(*) as touches_count
    from journeys
    inner join {{ ref('int_journeys__touchpoints') }} as journeys_touchpoints
        on journeys.journey_id = journeys_touchpoints.journey_id
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on journeys_touchpoints.touchpoint_id = touchpoints.touchpoint_id
    group by
        journeys.journey_id,
        journeys.conversion_type,
        journeys.is_converted,
        journeys.is_heldout,
        coalesce(touchpoints.{{ attribution_element() }}, '(none)')
),

training_touches as (
    select
        conversion_type,
        element,
        cast(sum(touches_count) as double) as touches_count
    from elements_of_journeys
    where not is_heldout
    group by conversion_type, element
),

training_credits as (
    select
        apportioned.conversion_type,
        apportioned.element,
        cast(date_trunc('week', apportioned.converted_at) as date) as converted_week,
    {%- for model in models %}
    sum(apportioned.credit_{{ model }}) as credit_{{ model }}{{ ',' if not loop.last }}
    
{%- endfor %}
    from {{ ref('int_attribution__apportioned') }} as apportioned
    inner join journeys
        on apportioned.conversion_id = journeys.journey_id
    where
        apportioned.attribution_scope = 'all'
        and not journeys.is_heldout
    group by
        apportioned.conversion_type,
        apportioned.element,
        cast(date_trunc('week', apportioned.converted_at) as date)
),

mean_credits as (
    select
        training_touches.conversion_type,
        training_touches.element,
    {%- for model in models %}
    coalesce(sum(training_credits.credit_{{ model }}), 0e0)
    / max(training_touches.touches_count) as credit_{{ model }}{{ ',' if not loop.last }}
    
{%- endfor %}
    from training_touches
    left join training_credits
        on
            training_touches.conversion_type = training_credits.conversion_type
            and training_touches.element = training_credits.element
    group by training_touches.conversion_type, training_touches.element
),

scores as (
    select
        elements_of_journeys.journey_id,
        elements_of_journeys.conversion_type,
        elements_of_journeys.is_converted,
    {%- for model in models %}
    sum(coalesce(mean_credits.credit_{{ model }}, 0e0)) as score_{{ model }}
    {{- ',' if not loop.last }}
    {%- endfor %}
    from elements_of_journeys
    left join mean_credits
        on
            elements_of_journeys.conversion_type = mean_credits.conversion_type
            and elements_of_journeys.element = mean_credits.element
    where elements_of_journeys.is_heldout
    group by
        elements_of_journeys.journey_id,
        elements_of_journeys.conversion_type,
        elements_of_journeys.is_converted
),

-- Journeys of one score are counted together; scores that differ by a rounding are one.
stacked_scores as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        conversion_type,
        round(score_{{ model }}, 12) as score,
        cast(sum(case when is_converted then 1 else 0 end) as double) as positives,
        cast(sum(case when is_converted then 0 else 1 end) as double) as negatives
    from scores
    group by conversion_type, round(score_{{ model }}, 12)
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

ranked_scores as (
    select
        stacked_scores.*,
        coalesce(sum(negatives) over (
            partition by attribution_model, conversion_type
            order by score
            rows between unbounded preceding and 1 preceding
        ), 0e0) as negatives_below,
        -- The score is an expected number of conversions; at least one of a Poisson of that mean.
        least(greatest(1e0 - exp(-score), 1e-6), 1e0 - 1e-6) as probability
    from stacked_scores
),

heldout as (
    select
        attribution_model,
        conversion_type,
        sum(positives) as positives,
        sum(negatives) as negatives,
        sum(positives * (negatives_below + negatives / 2e0))
        / nullif(sum(positives) * sum(negatives), 0e0) as auc,
        sum(positives * ln(probability) + negatives * ln(1e0 - probability))
        / nullif(sum(positives + negatives), 0e0) as log_likelihood
    from ranked_scores
    group by attribution_model, conversion_type
),

weekly_credits as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        conversion_type,
        converted_week,
        element,
        credit_{{ model }} as credit
    from training_credits
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

weekly_shares as (
    select
        weekly_credits.*,
        credit / nullif(sum(credit) over (
            partition by attribution_model, conversion_type, converted_week
        ), 0e0) as credit_share
    from weekly_credits
),

-- An element without credit in one of two weeks has a share of 0 there.
moves as (
    select
        coalesce(before.attribution_model, after.attribution_model) as attribution_model,
        coalesce(before.conversion_type, after.conversion_type) as conversion_type,
        coalesce(before.converted_week + 7, after.converted_week) as converted_week,
        sum(abs(coalesce(after.credit_share, 0e0) - coalesce(before.credit_share, 0e0))) / 2e0
            as moved_share,
        count(before.element) > 0 and count(after.element) > 0 as are_both_weeks_there
    from weekly_shares as before
    full outer join weekly_shares as after
        on
            before.attribution_model = after.attribution_model
            and before.conversion_type = after.conversion_type
            and before.converted_week + 7 = after.converted_week
            and before.element = after.element
    group by
        coalesce(before.attribution_model, after.attribution_model),
        coalesce(before.conversion_type, after.conversion_type),
        coalesce(before.converted_week + 7, after.converted_week)
),

steadiness as (
    select
        attribution_model,
        conversion_type,
        1e0 - avg(moved_share) as stability
    from moves
    where are_both_weeks_there
    group by attribution_model, conversion_type
),

final as (
    select
        ---------- keys
        heldout.attribution_model,
        heldout.conversion_type,
        cast({{ as_of() }} as date) as judged_on,
        ---------- numbers
        cast(heldout.positives + heldout.negatives as bigint) as heldout_journeys,
        cast(heldout.positives as bigint) as heldout_conversions,
        heldout.auc,
        heldout.log_likelihood,
        steadiness.stability
    from heldout
    left join steadiness
        on
            heldout.attribution_model = steadiness.attribution_model
            and heldout.conversion_type = steadiness.conversion_type
)

select * from final
