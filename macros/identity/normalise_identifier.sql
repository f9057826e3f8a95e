{#-
  The canonical form of an identifier, null where nothing is left: e-mail lower case without spaces around,
  without mailto: and without a name before it; phone see canonical_phone; any other id without spaces around.
-#}
{% macro normalise_identifier(identifier_type, value) -%}
    {%- if identifier_type == 'email' -%}
    nullif(
        case
            when {{ value }} like '%<%' or lower({{ value }}) like '%mailto:%'
                then regexp_replace(lower(trim({{ value }})), '^(mailto:\s*|.*<)?([^<>]*)>?$', '\2')
            else lower(trim({{ value }}))
        end,
        ''
    )
    {%- elif identifier_type == 'phone' -%}
    {{ canonical_phone(value) }}
    {%- else -%}
    nullif(trim({{ value }}), '')
    {%- endif -%}
{%- endmacro %}
