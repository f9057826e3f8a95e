{#-
  The kinds of identifier, strongest first: the one place that lists them. First those that name a
  person, then those of devices, which several people may use, last the id of a click.
-#}
{% macro identifier_types() -%}
    {{ return(['user_id', 'email', 'phone', 'contact_id', 'anonymous_id', 'device_id', 'click_id']) }}
{%- endmacro %}


{#- The kinds of identifier that name a person. -#}
{% macro person_types() -%}
    {{ return(['user_id', 'email', 'phone', 'contact_id']) }}
{%- endmacro %}


{#- The kinds of identifier that name a device. -#}
{% macro device_types() -%}
    {{ return(['anonymous_id', 'device_id']) }}
{%- endmacro %}


{#- The ranks of kinds of identifier, from 1 for the strongest, as a list for `in`. Args: some of identifier_types(). -#}
{% macro type_ranks(types) -%}
    {%- set ranks = [] -%}
    {%- for identifier_type in types -%}
        {%- do ranks.append(identifier_types().index(identifier_type) + 1) -%}
    {%- endfor -%}
    {{ return('(' ~ ranks | join(', ') ~ ')') }}
{%- endmacro %}
