{#-
  The canonical form of an identifier, null where nothing is left: e-mail lower case, without spaces and without what follows
  a plus before the @ (var strip_email_tags), phone its digits only, any other id without spaces around.
-#}
{% macro normalise_identifier(identifier_type, value) -%}
    {%- if identifier_type == 'email' and var('strip_email_tags') -%}
    nullif({{ without_email_tag("lower(" ~ without(value, "'[[:space:]]'") ~ ")") }}, '')
    {%- elif identifier_type == 'email' -%}
    nullif(lower({{ without(value, "'[[:space:]]'") }}), '')
    {%- elif identifier_type == 'phone' -%}
    nullif({{ without(value, "'[^0-9]'") }}, '')
    {%- else -%}
    nullif(trim({{ value }}), '')
    {%- endif -%}
{%- endmacro %}


{#- An address without the tag of plus-addressing: jo+shop@example.com is the mailbox jo@example.com. -#}
{% macro without_email_tag(value) -%}
    case
        when {{ matches(value, "'^[^+@]+[+][^@]*@'") }}
            then split_part({{ value }}, '+', 1) || '@' || split_part({{ value }}, '@', 2)
        else {{ value }}
    end
{%- endmacro %}
