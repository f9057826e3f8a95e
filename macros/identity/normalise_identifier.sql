{#-
  The canonical form of an identifier, null where nothing is left: e-mail lower case without spaces around,
  without mailto:, without a name before it and (var strip_email_tags) without what follows a plus before the @; phone see canonical_phone; any other id without spaces around.
-#}
{% macro normalise_identifier(identifier_type, value) -%}
    {%- if identifier_type == 'email' -%}
    {%- set address %}
        case
            when {{ value }} like '%<%' or lower({{ value }}) like '%mailto:%'
                then regexp_replace(lower(trim({{ value }})), '^(mailto:\s*|.*<)?([^<>]*)>?$', '\2')
            else lower(trim({{ value }}))
        end
    {%- endset %}
    nullif({{ without_email_tag(address) if var('strip_email_tags') else address }}, '')
    {%- elif identifier_type == 'phone' -%}
    {{ canonical_phone(value) }}
    {%- else -%}
    nullif(trim({{ value }}), '')
    {%- endif -%}
{%- endmacro %}


{#- An address without the tag of plus-addressing: jo+shop@example.com is the mailbox jo@example.com. -#}
{% macro without_email_tag(value) -%}
    case
        when {{ value }} like '%+%' and {{ matches(value, "'^[^+@]+[+][^@]*@'") }}
            then split_part({{ value }}, '+', 1) || '@' || split_part({{ value }}, '@', 2)
        else {{ value }}
    end
{%- endmacro %}
