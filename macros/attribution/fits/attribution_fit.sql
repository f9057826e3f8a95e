{#-
  The fitting step of the data-driven models, for `dbt run-operation`: learns element weights and path rates from the closed
  journeys of the last var training_days, and writes them as one new version, valid from the moment that the night is judged as of.
  A second fit as of the same moment replaces the first. A residual above 1e-9 stops it and nothing is written.
-#}
{% macro attribution_fit() -%}
    {%- set limits = {'markov': 64, 'shapley': 16} -%}
    {%- set replicates = var('bootstrap_replicates') -%}
    {%- set groups_of = 1000 -%}
    {%- do fit_step('fit_closed_journeys', attribution_closed_journeys()) -%}
    {%- do fit_step('fit_touches', attribution_training_touches('fit_closed_journeys')) -%}
    {%- do fit_step('fit_elements', attribution_training_elements('fit_touches', limits)) -%}
    {%- do fit_step('fit_journeys', attribution_training_journeys('fit_touches', 'fit_elements')) -%}
    {%- do fit_step('fit_long_touches', attribution_long_touches('fit_touches', 'fit_elements', 'fit_journeys')) -%}
    {%- do fit_step('fit_grams', markov_grams('fit_journeys', 'fit_long_touches')) -%}

    {%- do fit_step('fit_transitions_1', markov_transitions('fit_grams', 1)) -%}
    {%- do fit_step('fit_markov_1', markov_removal_effects('fit_transitions_1')) -%}
    {%- for markov_order in [2, 3] -%}
        {%- do fit_step('fit_transitions', markov_transitions('fit_grams', markov_order)) -%}
        {%- do fit_step('fit_markov_' ~ markov_order, markov_tuple_removal_effects('fit_transitions')) -%}
    {%- endfor -%}

    {%- set coalitions %}
select
    group_number,
    shapley_elements as elements,
    count(*) as journeys_count,
    sum(case when is_converted then 1 else 0 end) as conversions_count
from fit_journeys
group by group_number, shapley_elements
    {%- endset -%}
    {%- do fit_step('fit_coalitions', coalitions) -%}
    {%- do fit_step('fit_shapley', shapley_rate_values('fit_coalitions', limits.shapley)) -%}

    {%- do fit_step('fit_path_rates', attribution_path_rates('fit_journeys')) -%}
    {%- do fit_step('fit_path_gains', attribution_path_gains('fit_path_rates')) -%}

    {%- do fit_step(
        'fit_replicate_transitions',
        markov_replicate_transitions('fit_closed_journeys', 'fit_journeys', 'fit_long_touches', 'fit_elements', replicates, groups_of)
    ) -%}
    {%- do fit_step('fit_replicates', markov_removal_effects('fit_replicate_transitions')) -%}
    {%- do fit_step('fit_weights', attribution_fitted_weights(groups_of)) -%}

    {%- set named_rates %}
select
    groups.attribution_scope,
    groups.conversion_type,
    cast(rates.touch_count as integer) as touch_count,
    rates.path_code,
    rates.journeys_count,
    rates.conversions_count
from fit_path_rates as rates
inner join (
    select distinct
        group_number,
        attribution_scope,
        conversion_type
    from fit_elements
) as groups
    on rates.group_number = groups.group_number
    {%- endset -%}
    {%- do fit_step('fit_named_rates', named_rates) -%}

    {%- set worst = run_query('select attribution_model, attribution_scope, conversion_type, residual from fit_weights where not coalesce(residual <= 1e-9, false) limit 1') -%}
    {%- for row in worst.rows -%}
        {%- do exceptions.raise_compiler_error(
            'Attribution model ' ~ row[0] ~ ' of scope ' ~ row[1] ~ ' and conversion type ' ~ row[2] ~ ' was not solved: its residual is '
            ~ row[3] ~ ', more than 1e-9. The versions that exist stay.'
        ) -%}
    {%- endfor -%}
    {%- set weights = source('ml', 'attribution_element_weights') -%}
    {%- set rates = source('ml', 'attribution_path_rates') -%}
    {%- do run_query('begin') -%}
    {%- do run_query('delete from ' ~ weights ~ ' where valid_from = ' ~ as_of()) -%}
    {%- do run_query('delete from ' ~ rates ~ ' where valid_from = ' ~ as_of()) -%}
    {%- set version = '(select coalesce(max(version), 0) + 1 from ' ~ weights ~ ')' -%}
    {%- do run_query("insert into " ~ rates ~ " by name select " ~ version ~ " as version, " ~ as_of() ~ " as valid_from, * from fit_named_rates") -%}
    {%- do run_query("insert into " ~ weights ~ " by name select " ~ version ~ " as version, " ~ as_of() ~ " as valid_from, current_timestamp at time zone 'UTC' as fitted_at, * from fit_weights") -%}
    {%- do run_query('commit') -%}
{%- endmacro %}


{#- Keep the rows of a select for the steps after it, until the connection closes. -#}
{% macro fit_step(name, select_sql) -%}
    {%- do run_query('create or replace temp table ' ~ name ~ ' as ' ~ select_sql) -%}
{%- endmacro %}
