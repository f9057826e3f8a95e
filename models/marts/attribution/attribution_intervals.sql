-- One row per attribution model x scope x conversion type x dimension x value x period: credited
-- conversions and revenue with a 95 % interval, by a Poisson bootstrap over people.
-- Each person is drawn as often as a digest of the person's key says, so that two runs draw alike.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='period_started_on',
    meta={'affected': 'int_attribution__affected_periods'},
    on_schema_change='fail'
) }}
{%- set models = attribution_models() %}
{%- set replicates = var('bootstrap_replicates') %}
{%- set is_refitted = attribution_element() == 'channel' %}
{%- set windows = attribution_windows() %}
{%- set is_affected_month = only_affected(
    'converted_month', 'int_attribution__affected_periods', 'period_started_on'
) %}
{%- set case_columns = [
    'elements_of_conversions.attribution_scope',
    'elements_of_conversions.conversion_type',
    'elements_of_conversions.weights_version',
    'elements_of_conversions.converted_month',
    'elements_of_conversions.is_in_last_28_days',
    'elements_of_conversions.is_in_last_90_days',
    'sets_of_conversions.elements',
] | join(', ') %}
{%- set keys = 'attribution_scope, conversion_type, dimension, dimension_value' %}
{%- set periods = {'month': ('converted_month', is_affected_month)} %}
{%- for window, days in windows.items() %}
    {%- do periods.update(
        {window: (attribution_window_started_on(days), 'is_in_' ~ window)}
    ) %}
{%- endfor %}
with moments as (
    select
        *,
        -- A conversion of nobody known is a person of its own.
        coalesce(user_key, conversion_id) as person,
        cast(date_trunc('month', converted_at) as date) as converted_month,
        {%- for window, days in windows.items() %}
        converted_at >= {{ as_of() }} - {{ days_interval(days) }} as is_in_{{ window }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_attribution__apportioned') }}
    where attribution_scope in ('all', 'personalized')
),

apportioned as (
    select * from moments
    where
        {%- for window in windows %}
        is_in_{{ window }}
        or
        {%- endfor %} {{ is_affected_month }}
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
        1e0 as times
    from wide_draws
    {%- for replicate in range(1, replicates + 1) %}
    union all
    select
        user_key as person,
        {{ replicate }} as replicate,
        cast(draws_{{ replicate }} as double) as times
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
        {%- for model in models %}
        sum(credit_{{ model }}) as conversions_{{ model }},
        sum(credit_{{ model }} * revenue) as revenue_{{ model }},
        {%- endfor %}
        is_in_last_90_days
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
        {%- for model in models %}
        sum(draws.times * of_people.conversions_{{ model }}) as conversions_{{ model }},
        sum(draws.times * of_people.revenue_{{ model }}) as revenue_{{ model }},
        {%- endfor %}
        of_people.is_in_last_90_days
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

-- Journeys of one set of elements in the same periods are one case, summed by its number.
cases_of_people as (
    select
        elements_of_conversions.person,
        elements_of_conversions.channel,
        count(*) as conversions,
        sum(elements_of_conversions.revenue) as revenue,
        sum(elements_of_conversions.linear_conversions) as linear_conversions,
        sum(elements_of_conversions.linear_conversions * elements_of_conversions.revenue)
            as linear_revenue,
        dense_rank() over (order by {{ case_columns }}) as case_number,
        {{ case_columns }}
    from elements_of_conversions
    inner join sets_of_conversions
        on
            elements_of_conversions.attribution_scope = sets_of_conversions.attribution_scope
            and elements_of_conversions.conversion_id = sets_of_conversions.conversion_id
    group by elements_of_conversions.person, elements_of_conversions.channel, {{ case_columns }}
),

cases as (
    select
        case_number,
        channel,
        any_value(attribution_scope) as attribution_scope,
        any_value(conversion_type) as conversion_type,
        any_value(weights_version) as weights_version,
        any_value(converted_month) as converted_month,
        any_value(is_in_last_28_days) as is_in_last_28_days,
        any_value(is_in_last_90_days) as is_in_last_90_days
    from cases_of_people
    group by case_number, channel
),

cases_of_replicates as (
    select
        draws.replicate,
        cases_of_people.case_number,
        cases_of_people.channel,
        sum(draws.times * cases_of_people.conversions) as conversions,
        sum(draws.times * cases_of_people.revenue) as revenue,
        sum(draws.times * cases_of_people.linear_conversions) as linear_conversions,
        sum(draws.times * cases_of_people.linear_revenue) as linear_revenue
    from cases_of_people
    inner join draws
        on cases_of_people.person = draws.person
    where draws.replicate > 0
    group by draws.replicate, cases_of_people.case_number, cases_of_people.channel
),

element_weights as (
    select * from {{ source('ml', 'attribution_element_weights') }}
    where attribution_model = 'markov_1'
),

weighted_cases as (
    select
        cases_of_replicates.*,
        cases.attribution_scope,
        cases.conversion_type,
        cases.converted_month,
        cases.is_in_last_28_days,
        cases.is_in_last_90_days,
        greatest(coalesce(own_weights.weight, grouped_weights.weight, 0e0), 0e0) as weight
    from cases_of_replicates
    inner join cases
        on
            cases_of_replicates.case_number = cases.case_number
            and cases_of_replicates.channel = cases.channel
    left join element_weights as own_weights
        on
            cases.weights_version = own_weights.version
            and cases.attribution_scope = own_weights.attribution_scope
            and cases.conversion_type = own_weights.conversion_type
            and cases_of_replicates.replicate = own_weights.replicate
            and cases_of_replicates.channel = own_weights.element
            and not own_weights.is_grouped
    left join element_weights as grouped_weights
        on
            cases.weights_version = grouped_weights.version
            and cases.attribution_scope = grouped_weights.attribution_scope
            and cases.conversion_type = grouped_weights.conversion_type
            and cases_of_replicates.replicate = grouped_weights.replicate
            and grouped_weights.is_grouped
),

-- Where no element has a weight, credit is linear.
weights_of_cases as (
    select
        replicate,
        case_number,
        nullif(sum(weight), 0e0) as weight
    from weighted_cases
    group by replicate, case_number
),

refitted as (
    select
        'channel' as dimension,
        weighted_cases.replicate,
        weighted_cases.attribution_scope,
        weighted_cases.conversion_type,
        weighted_cases.channel as dimension_value,
        weighted_cases.converted_month,
        weighted_cases.is_in_last_28_days,
        {%- for measure in ['conversions', 'revenue'] %}
        sum(
            coalesce(
                weighted_cases.{{ measure }} * weighted_cases.weight / weights_of_cases.weight,
                weighted_cases.linear_{{ measure }}
            )
        ) as {{ measure }},
        {%- endfor %}
        weighted_cases.is_in_last_90_days
    from weighted_cases
    inner join weights_of_cases
        on
            weighted_cases.replicate = weights_of_cases.replicate
            and weighted_cases.case_number = weights_of_cases.case_number
    group by
        weighted_cases.replicate,
        weighted_cases.attribution_scope,
        weighted_cases.conversion_type,
        weighted_cases.channel,
        weighted_cases.converted_month,
        weighted_cases.is_in_last_28_days,
        weighted_cases.is_in_last_90_days
),
{%- endif %}

-- The models stay side by side until the end: a row is one draw, not one draw of one model.
of_values as (
    {%- for dimension in ['channel', 'tactic'] %}
    select
        '{{ dimension }}' as dimension,
        {{ dimension }} as dimension_value,
        replicate,
        attribution_scope,
        conversion_type,
        converted_month,
        is_in_last_28_days,
        {%- for model in models %}
        sum(conversions_{{ model }}) as conversions_{{ model }},
        sum(revenue_{{ model }}) as revenue_{{ model }},
        {%- endfor %}
        is_in_last_90_days
    from of_replicates
    group by
        {{ dimension }},
        replicate,
        attribution_scope,
        conversion_type,
        converted_month,
        is_in_last_28_days,
        is_in_last_90_days
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

dimensioned as (
    {%- if is_refitted %}
    select
        of_values.* replace (
            {%- for measure in ['conversions', 'revenue'] %}
            coalesce(refitted.{{ measure }}, of_values.{{ measure }}_markov_1)
                as {{ measure }}_markov_1
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        )
    from of_values
    left join refitted
        on
            of_values.dimension = refitted.dimension
            and of_values.dimension_value = refitted.dimension_value
            and of_values.replicate = refitted.replicate
            and of_values.attribution_scope = refitted.attribution_scope
            and of_values.conversion_type = refitted.conversion_type
            and of_values.converted_month = refitted.converted_month
            and of_values.is_in_last_28_days = refitted.is_in_last_28_days
            and of_values.is_in_last_90_days = refitted.is_in_last_90_days
    {%- else %}
    select * from of_values
    {%- endif %}
),

of_periods as (
    {%- for period, (first_day, condition) in periods.items() %}
    select
        {{ keys }},
        '{{ period }}' as period,
        {{ first_day }} as period_started_on,
        {%- for model in models %}
        sum(conversions_{{ model }}) as conversions_{{ model }},
        sum(revenue_{{ model }}) as revenue_{{ model }},
        {%- endfor %}
        replicate
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
        happened.attribution_scope,
        happened.conversion_type,
        happened.dimension,
        happened.dimension_value,
        happened.period,
        {%- for model in models %}
        coalesce(of_periods.conversions_{{ model }}, 0e0) as conversions_{{ model }},
        coalesce(of_periods.revenue_{{ model }}, 0e0) as revenue_{{ model }},
        {%- endfor %}
        happened.period_started_on
    from happened
    cross join numbers
    left join of_periods
        on
            happened.attribution_scope = of_periods.attribution_scope
            and happened.conversion_type = of_periods.conversion_type
            and happened.dimension = of_periods.dimension
            and happened.dimension_value = of_periods.dimension_value
            and happened.period = of_periods.period
            and happened.period_started_on = of_periods.period_started_on
            and numbers.replicate = of_periods.replicate
),

spread as (
    select
        {{ keys }},
        period,
        {%- for model in models %}
        {%- for measure in ['conversions', 'revenue'] %}
        {{ quantiles(measure ~ '_' ~ model, [0.025, 0.975]) }} as {{ measure }}_ci_{{ model }},
        {%- endfor %}
        {%- endfor %}
        period_started_on
    from drawn
    group by {{ keys }}, period, period_started_on
),

with_spread as (
    select
        {%- for model in models %}
        {%- for measure in ['conversions', 'revenue'] %}
        {{ list_item('spread.' ~ measure ~ '_ci_' ~ model, 1) }}
            as {{ measure }}_ci_low_{{ model }},
        {{ list_item('spread.' ~ measure ~ '_ci_' ~ model, 2) }}
            as {{ measure }}_ci_high_{{ model }},
        {%- endfor %}
        {%- endfor %}
        happened.*
    from happened
    inner join spread
        on
            happened.attribution_scope = spread.attribution_scope
            and happened.conversion_type = spread.conversion_type
            and happened.dimension = spread.dimension
            and happened.dimension_value = spread.dimension_value
            and happened.period = spread.period
            and happened.period_started_on = spread.period_started_on
),

final as (
    {%- for model in models %}
    select
        ---------- keys
        '{{ model }}' as attribution_model,
        attribution_scope,
        conversion_type,
        dimension,
        dimension_value,
        period,
        period_started_on,
        ---------- numbers
        conversions_{{ model }} as conversions,
        conversions_ci_low_{{ model }} as conversions_ci_low,
        conversions_ci_high_{{ model }} as conversions_ci_high,
        revenue_{{ model }} as revenue,
        revenue_ci_low_{{ model }} as revenue_ci_low,
        revenue_ci_high_{{ model }} as revenue_ci_high,
        ---------- booleans
        {%- if model == 'markov_1' and is_refitted %}
        dimension <> 'channel' as is_conditional
        {%- else %}
        {{ model in ['markov_1', 'markov_2', 'markov_3', 'shapley', 'leave_one_out'] }}
            as is_conditional
        {%- endif %}
    from with_spread
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from final
