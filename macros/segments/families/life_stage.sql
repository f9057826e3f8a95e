{#-
  Age group with the size of the household, by the lower ends of both: under 35 is young, 35-54 established, 55 and over mature; one
  person is single, two are a couple, more a family.
-#}
{% macro segment_family__life_stage() -%}
    {%- set persons = "try_cast(regexp_extract(features.household_size, '[0-9]+') as integer)" -%}
    {%- set household = "case when " ~ persons ~ " = 1 then 'single' when " ~ persons ~ " = 2 then 'couple' when " ~ persons ~ " > 2 then 'family' end" -%}
    case
        when features.age_from < 35 then 'young'
        when features.age_from < 55 then 'established'
        when features.age_from >= 55 then 'mature'
    end || ' ' || {{ household }}
{%- endmacro %}


{% macro segment_catalog__life_stage() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'young single': 'Under 35, alone in the household',
            'young couple': 'Under 35, two in the household',
            'young family': 'Under 35, more than two in the household',
            'established single': '35 to 54, alone in the household',
            'established couple': '35 to 54, two in the household',
            'established family': '35 to 54, more than two in the household',
            'mature single': '55 or over, alone in the household',
            'mature couple': '55 or over, two in the household',
            'mature family': '55 or over, more than two in the household',
        },
    }) }}
{%- endmacro %}
