{#-
  The first persona of the seed `personas` whose rules all hold. Rules of one persona with the same number in `any_of` are
  alternatives, of which one must hold; a rule without a number must hold itself.

  The seed's words never become SQL: the feature is one of `feature_kinds`, the operator one of a list, the value a number where
  the feature is one and else a quoted text. Anything else is an error that names the line.
-#}
{% macro segment_family__persona() -%}
    {%- set personas = {} -%}
    {%- for rule in seed_rows('personas', 'rule_order') -%}
        {%- set groups = personas.setdefault(rule['persona'], {}) -%}
        {%- set group = rule['any_of'] if rule['any_of'] is not none else 'rule ' ~ rule['rule_order'] -%}
        {%- do groups.setdefault(group, []).append(persona_condition(rule)) -%}
    {%- endfor -%}
    {%- if not personas -%}
        cast(null as varchar)
    {%- else -%}
    case
        {%- for persona, groups in personas.items() %}
        when
            {%- for conditions in groups.values() %}
            ({{ conditions | join(' or ') }}){{ ' and' if not loop.last }}
            {%- endfor %}
            then '{{ persona | replace("'", "''") }}'
        {%- endfor %}
    end
    {%- endif -%}
{%- endmacro %}


{#- SQL of one rule of the seed `personas`; an error with its line where it does not say one. -#}
{% macro persona_condition(rule) -%}
    {%- set place = 'seeds/personas.csv, line ' ~ (rule['rule_order'] + 1) ~ ' (persona ' ~ rule['persona'] ~ '): ' -%}
    {%- set kinds = feature_kinds() -%}
    {%- set operators = ['=', '<>', '<', '<=', '>', '>=', 'is null', 'is not null', 'in'] -%}
    {%- if not rule['persona'] -%}
        {{ exceptions.raise_compiler_error(place ~ 'a rule needs the name of its persona') }}
    {%- elif rule['feature'] not in kinds -%}
        {{ exceptions.raise_compiler_error(place ~ 'there is no feature ' ~ rule['feature'] ~ '; features are ' ~ kinds.keys() | join(', ')) }}
    {%- elif rule['operator'] not in operators -%}
        {{ exceptions.raise_compiler_error(place ~ 'there is no operator ' ~ rule['operator'] ~ '; operators are ' ~ operators | join(', ')) }}
    {%- endif -%}
    {%- set feature = 'features.' ~ rule['feature'] -%}
    {%- if rule['operator'] in ('is null', 'is not null') -%}
        {{ return(feature ~ ' ' ~ rule['operator']) }}
    {%- elif rule['value'] is none -%}
        {{ exceptions.raise_compiler_error(place ~ 'the operator ' ~ rule['operator'] ~ ' needs a value') }}
    {%- endif -%}
    {%- set texts = rule['value'].split('|') if rule['operator'] == 'in' else [rule['value']] -%}
    {%- set literals = [] -%}
    {%- for text in texts -%}
        {%- if kinds[rule['feature']] != 'number' -%}
            {%- do literals.append("'" ~ text | replace("'", "''") ~ "'") -%}
        {%- elif modules.re.fullmatch('-?[0-9]+([.][0-9]+)?', text) -%}
            {%- do literals.append(text) -%}
        {%- else -%}
            {{ exceptions.raise_compiler_error(place ~ rule['feature'] ~ ' is a number, and ' ~ text ~ ' is none') }}
        {%- endif -%}
    {%- endfor -%}
    {%- if rule['operator'] == 'in' -%}
        {{ return(feature ~ ' in (' ~ literals | join(', ') ~ ')') }}
    {%- endif -%}
    {{ return(feature ~ ' ' ~ rule['operator'] ~ ' ' ~ literals[0]) }}
{%- endmacro %}


{% macro segment_catalog__persona() -%}
    {%- set segments = {'*': 'A persona of the seed personas'} -%}
    {%- for rule in seed_rows('personas', 'rule_order') if rule['description'] -%}
        {%- do segments.update({rule['persona']: rule['description']}) -%}
    {%- endfor -%}
    {{ return({'kind': 'rule', 'segments': segments}) }}
{%- endmacro %}
