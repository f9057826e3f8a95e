{#-
  The sources of demographic attributes, the first to be believed first, from vars demographic_sources and demographic_fresh_days.

  Returns: list of mappings: name; fresh_us, microseconds from an observation until it counts no more, or none where it always does.
-#}
{% macro demographic_sources() -%}
    {%- set names = var('demographic_sources') -%}
    {%- set fresh_days = var('demographic_fresh_days') or {} -%}
    {%- if names is string or names is mapping or not names -%}
        {{ exceptions.raise_compiler_error(
            'demographic_sources is a list of sources, the first to be believed first, not ' ~ names
            ~ ': nobody could say which source wins. Write e.g. [crm, survey] in vars.yml of the landing folder and run the night again.'
        ) }}
    {%- endif -%}
    {%- if fresh_days is not mapping -%}
        {{ exceptions.raise_compiler_error(
            'demographic_fresh_days is a number of days per source, not ' ~ fresh_days
            ~ '. Write e.g. {survey: 365} in vars.yml of the landing folder and run the night again.'
        ) }}
    {%- endif -%}
    {%- for name, days in fresh_days.items() -%}
        {%- if name == 'crm' or name not in names -%}
            {{ exceptions.raise_compiler_error(
                'demographic_fresh_days names ' ~ name ~ ', which is not in demographic_sources or is crm: CRM records have no history, so they'
                ~ ' never lapse. Take it out of vars.yml of the landing folder and run the night again.'
            ) }}
        {%- endif -%}
        {%- if days is not none and (days is not number or days <= 0) -%}
            {{ exceptions.raise_compiler_error(
                'demographic_fresh_days: ' ~ name ~ ' is fresh for a number of days above 0, or null for ever, not ' ~ days
                ~ '. Correct it in vars.yml of the landing folder and run the night again.'
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set sources = [] -%}
    {%- for name in names -%}
        {%- set days = fresh_days.get(name) -%}
        {%- do sources.append({
            'name': name | string | trim | lower | replace(' ', '_'),
            'fresh_us': none if days is none else (days * 86400000000) | int,
        }) -%}
    {%- endfor -%}
    {{ return(sources) }}
{%- endmacro %}


{#- female, male or other gender of a gender as it was written; null where it says nothing. -#}
{% macro gender_of(written) -%}
    case
        when lower(trim({{ written }})) in ('f', 'female', 'woman') then 'female'
        when lower(trim({{ written }})) in ('m', 'male', 'man') then 'male'
        when lower(trim({{ written }})) in ('', 'u', 'unknown', 'unspecified', 'none') then null
        when {{ written }} is not null then 'other gender'
    end
{%- endmacro %}
