-- One row per attribution model x scope x conversion type x dimension x value x period: credited
-- conversions and revenue with a 95 % interval, by a Poisson bootstrap over people.
-- Each person is drawn as often as a digest of the person's key says, so that two runs draw alike.
{%- set models = attribution_models() %}
{%- set replicates = var('bootstrap_replicates') %}
{%- set is_refitted = attribution_element() == 'channel' %}
with apportioned as (
    select
        *,
        -- A conversion of nobody known is a person of its own_weights.
        coalesce(user_key, conversion_id) as person,
        cast(date_trunc('month', converted_at) as date) as converted_month,
        converted_at >= {{ as_of() }} - {{ days_interval(28) }} as is_in_last_28_days,
        converted_at >= {{ as_of() }} - {{ days_interval(90) }} as is_in_last_90_days
    from {{ ref('int_attribution__apportioned') }}
    where attribution_scope in ('all', 'personalized')
),

people as (
    select distinct person as user_key from apportioned
),

wide_draws as materialized (
    {{ bootstrap_people('people', replicates) }}
),

-- Replicate 0 is what happened: everybody once.
draws as (
    select
        user_key as person,
        0 as replicate,
        1 as times
    from wide_draws
    {%- for replicate in range(1, replicates + 1) %}
    union all
    select
        user_key as person,
        {{ replicate }} as replicate,
        draws_{{ replicate }} as times
    from wide_draws
    where draws_{{ replicate }} > 0
    {%- endfor %}
),

of_people as (
    select
        person,
        attribution_scope,
        conversion_type,
        channel,
        tactic,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
    {%- for model in models %}
    sum(credit_{{ model }}) as conversions_{{ model }},
    sum(credit_{{ model }} * revenue) as revenue_{{ model }}{{ ',' if not loop.last }}
    
{%- endfor %}
    from apportioned
    group by
        person,
        attribution_scope,
        conversion_type,
        channel,
        tactic,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days
),

of_replicates as (
    select
        draws.replicate,
        of_people.attribution_scope,
        of_people.conversion_type,
        of_people.channel,
        of_people.tactic,
        of_people.converted_month,
        of_people.is_in_last_28_days,
        of_people.is_in_last_90_days,
    {%- for model in models %}
    sum(draws.times * of_people.conversions_{{ model }}) as conversions_{{ model }},
    sum(draws.times * of_people.revenue_{{ model }}) as revenue_{{ model }}
    {{- ',' if not loop.last }}
    {%- endfor %}
    from of_people
    inner join draws
        on of_people.person = draws.person
    group by
        draws.replicate,
        of_people.attribution_scope,
        of_people.conversion_type,
        of_people.channel,
        of_people.tactic,
        of_people.converted_month,
        of_people.is_in_last_28_days,
        of_people.is_in_last_90_days
),

stacked as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        replicate,
        attribution_scope,
        conversion_type,
        channel,
        tactic,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        conversions_{{ model }} as conversions,
        revenue_{{ model }} as revenue
    from of_replicates
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),
{%- if is_refitted %}

-- Under markov_1 the credit of an element follows from the set of elements of its journey, so that
-- each replicate's own weights need only one row per set.
elements_of_conversions as (
    select
        person,
        attribution_scope,
        conversion_type,
        conversion_id,
        weights_version,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        channel,
        max(revenue) as revenue,
        sum(credit_linear) as linear_conversions
    from apportioned
    group by
        person,
        attribution_scope,
        conversion_type,
        conversion_id,
        weights_version,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        channel
),

sets_of_conversions as (
    select
        attribution_scope,
        conversion_id,
        {{ ordered_list('channel', 'channel') }} as elements
    from elements_of_conversions
    group by attribution_scope, conversion_id
),

sets_of_people as (
    select
        elements_of_conversions.person,
        elements_of_conversions.attribution_scope,
        elements_of_conversions.conversion_type,
        elements_of_conversions.weights_version,
        elements_of_conversions.converted_month,
        elements_of_conversions.is_in_last_28_days,
        elements_of_conversions.is_in_last_90_days,
        elements_of_conversions.channel,
        sets_of_conversions.elements,
        count(*) as conversions,
        sum(elements_of_conversions.revenue) as revenue,
        sum(elements_of_conversions.linear_conversions) as linear_conversions,
        sum(elements_of_conversions.linear_conversions * elements_of_conversions.revenue)
            as linear_revenue
    from elements_of_conversions
    inner join sets_of_conversions
        on
            elements_of_conversions.attribution_scope = sets_of_conversions.attribution_scope
            and elements_of_conversions.conversion_id = sets_of_conversions.conversion_id
    group by
        elements_of_conversions.person,
        elements_of_conversions.attribution_scope,
        elements_of_conversions.conversion_type,
        elements_of_conversions.weights_version,
        elements_of_conversions.converted_month,
        elements_of_conversions.is_in_last_28_days,
        elements_of_conversions.is_in_last_90_days,
        elements_of_conversions.channel,
        sets_of_conversions.elements
),

sets_of_replicates as (
    select
        draws.replicate,
        sets_of_people.attribution_scope,
        sets_of_people.conversion_type,
        sets_of_people.weights_version,
        sets_of_people.converted_month,
        sets_of_people.is_in_last_28_days,
        sets_of_people.is_in_last_90_days,
        sets_of_people.channel,
        sets_of_people.elements,
        sum(draws.times * sets_of_people.conversions) as conversions,
        sum(draws.times * sets_of_people.revenue) as revenue,
        sum(draws.times * sets_of_people.linear_conversions) as linear_conversions,
        sum(draws.times * sets_of_people.linear_revenue) as linear_revenue
    from sets_of_people
    inner join draws
        on sets_of_people.person = draws.person
    where draws.replicate > 0
    group by
        draws.replicate,
        sets_of_people.attribution_scope,
        sets_of_people.conversion_type,
        sets_of_people.weights_version,
        sets_of_people.converted_month,
        sets_of_people.is_in_last_28_days,
        sets_of_people.is_in_last_90_days,
        sets_of_people.channel,
        sets_of_people.elements
),

element_weights as (
    select * from {{ source('ml', 'attribution_element_weights') }}
    where attribution_model = 'markov_1'
),

weighted_sets as (
    select
        sets_of_replicates.*,
        greatest(coalesce(own_weights.weight, grouped_weights.weight, 0e0), 0e0) as weight
    from sets_of_replicates
    left join element_weights as own_weights
        on
            sets_of_replicates.weights_version = own_weights.version
            and sets_of_replicates.attribution_scope = own_weights.attribution_scope
            and sets_of_replicates.conversion_type = own_weights.conversion_type
            and sets_of_replicates.replicate = own_weights.replicate
            and sets_of_replicates.channel = own_weights.element
            and not own_weights.is_grouped
    left join element_weights as grouped_weights
        on
            sets_of_replicates.weights_version = grouped_weights.version
            and sets_of_replicates.attribution_scope = grouped_weights.attribution_scope
            and sets_of_replicates.conversion_type = grouped_weights.conversion_type
            and sets_of_replicates.replicate = grouped_weights.replicate
            and grouped_weights.is_grouped
),

shared_sets as (
    select
        weighted_sets.*,
        weight / nullif(sum(weight) over (
            partition by
                replicate,
                attribution_scope,
                conversion_type,
                weights_version,
                converted_month,
                is_in_last_28_days,
                is_in_last_90_days,
                elements
        ), 0e0) as credit
    from weighted_sets
),

refitted as (
    select
        'markov_1' as attribution_model,
        replicate,
        attribution_scope,
        conversion_type,
        channel,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        coalesce(conversions * credit, linear_conversions) as conversions,
        coalesce(revenue * credit, linear_revenue) as revenue
    from shared_sets
),
{%- endif %}

dimensioned as (
    select
        attribution_model,
        replicate,
        attribution_scope,
        conversion_type,
        'channel' as dimension,
        channel as dimension_value,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        conversions,
        revenue
    from stacked
    {%- if is_refitted %}
    where attribution_model <> 'markov_1' or replicate = 0
    union all
    select
        attribution_model,
        replicate,
        attribution_scope,
        conversion_type,
        'channel' as dimension,
        channel as dimension_value,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        conversions,
        revenue
    from refitted
    {%- endif %}
    union all
    select
        attribution_model,
        replicate,
        attribution_scope,
        conversion_type,
        'tactic' as dimension,
        tactic as dimension_value,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days,
        conversions,
        revenue
    from stacked
),

of_periods as (
    {%- set keys = 'attribution_model, attribution_scope, conversion_type, dimension, dimension_value' %}
    {%- for period, first_day, condition in [
        ('month', 'converted_month', 'true'),
        ('last_28_days', "cast(" ~ as_of() ~ " - " ~ days_interval(28) ~ " as date)", 'is_in_last_28_days'),
        ('last_90_days', "cast(" ~ as_of() ~ " - " ~ days_interval(90) ~ " as date)", 'is_in_last_90_days'),
    ] %}
    select
        {{ keys }},
        '{{ period }}' as period,
        {{ first_day }} as period_started_on,
        replicate,
        sum(conversions) as conversions,
        sum(revenue) as revenue
    from dimensioned
    where {{ condition }}
    group by {{ keys }}, {{ first_day }}, replicate
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

numbers as (
    select {{ explode_range('1', replicates) }} as replicate
),

happened as (
    select * from of_periods
    where replicate = 0
),

-- A replicate that drew nobody of a row has 0 there.
drawn as (
    select
        happened.attribution_model,
        happened.attribution_scope,
        happened.conversion_type,
        happened.dimension,
        happened.dimension_value,
        happened.period,
        happened.period_started_on,
        coalesce(of_periods.conversions, 0e0) as conversions,
        coalesce(of_periods.revenue, 0e0) as revenue
    from happened
    cross join numbers
    left join of_periods
        on
            happened.attribution_model = of_periods.attribution_model
            and happened.attribution_scope = of_periods.attribution_scope
            and happened.conversion_type = of_periods.conversion_type
            and happened.dimension = of_periods.dimension
            and happened.dimension_value = of_periods.dimension_value
            and happened.period = of_periods.period
            and happened.period_started_on = of_periods.period_started_on
            and numbers.replicate = of_periods.replicate
),

spread as (
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        dimension,
        dimension_value,
        period,
        period_started_on,
    {%- for measure in ['conversions', 'revenue'] %}
    percentile_cont(0.025) within group (order by {{ measure }}) as {{ measure }}_ci_low,
    percentile_cont(0.975) within group (order by {{ measure }}) as {{ measure }}_ci_high
    {{- ',' if not loop.last }}
    {%- endfor %}
    from drawn
    group by
        attribution_model,
        attribution_scope,
        conversion_type,
        dimension,
        dimension_value,
        period,
        period_started_on
),

final as (
    select
        ---------- keys
        happened.attribution_model,
        happened.attribution_scope,
        happened.conversion_type,
        happened.dimension,
        happened.dimension_value,
        happened.period,
        happened.period_started_on,
        ---------- numbers
        happened.conversions,
        spread.conversions_ci_low,
        spread.conversions_ci_high,
        happened.revenue,
        spread.revenue_ci_low,
        spread.revenue_ci_high,
        ---------- booleans
        happened.attribution_model in ('markov_2', 'markov_3', 'shapley', 'leave_one_out')
        or (
            happened.attribution_model = 'markov_1'
            {%- if is_refitted %}
            and happened.dimension <> 'channel'
            {%- endif %}
        ) as is_conditional
    from happened
    inner join spread
        on
            happened.attribution_model = spread.attribution_model
            and happened.attribution_scope = spread.attribution_scope
            and happened.conversion_type = spread.conversion_type
            and happened.dimension = spread.dimension
            and happened.dimension_value = spread.dimension_value
            and happened.period = spread.period
            and happened.period_started_on = spread.period_started_on
)

select * from final
