{#-
  The canonical form of an identifier, null where nothing is left: e-mail lower case without spaces around,
  phone its digits only, any other id without spaces around.
-#}
{% macro normalise_identifier(identifier_type, value) -%}
    {%- if identifier_type == 'email' -%}
    nullif(lower(trim({{ value }})), '')
    {%- elif identifier_type == 'phone' -%}
    nullif({{ without(value, "'[^0-9]'") }}, '')
    {%- else -%}
    nullif(trim({{ value }}), '')
    {%- endif -%}
{%- endmacro %}
