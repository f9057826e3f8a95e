{#-
  Age group with gender; where the gender is unknown, age group with income tier; what is unknown is left out of the name.

  Age groups: under 35, 35-54, 55 and over, by the lower end of the person's age band. Income tiers by the lower end of the
  income band: low below `middle_income_from`, middle below `high_income_from`, high from there on.
-#}
{% macro segment_family__demographic() -%}
    {%- set age_group -%}
        case
            when features.age_from < 35 then 'under 35'
            when features.age_from < 55 then '35-54'
            when features.age_from >= 55 then '55 and over'
        end
    {%- endset -%}
    {%- set income_tier -%}
        case
            when features.income_from < {{ demographic_parameters().middle_income_from }} then 'low income'
            when features.income_from < {{ demographic_parameters().high_income_from }} then 'middle income'
            when features.income_from is not null then 'high income'
        end
    {%- endset -%}
    coalesce(
        {{ age_group }} || ', ' || coalesce(features.gender, {{ income_tier }}),
        {{ age_group }},
        features.gender,
        {{ income_tier }}
    )
{%- endmacro %}


{#- Lower ends of the middle and the high income tier, in the currency of the income bands per year. -#}
{% macro demographic_parameters() -%}
    {{ return({
        'middle_income_from': var('middle_income_from'),
        'high_income_from': var('high_income_from'),
    }) }}
{%- endmacro %}


{% macro segment_catalog__demographic() -%}
    {%- set parameters = demographic_parameters() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            '*': 'Age group with gender, or with income tier where the gender is unknown (low below '
                ~ parameters.middle_income_from ~ ', high from ' ~ parameters.high_income_from ~ ' a year)',
        },
    }) }}
{%- endmacro %}
