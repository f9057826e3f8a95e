{#-
  Whether an event is the business's own: by its address, the host of its page, or the e-mail addresses of its person.

  Args:
    ip, host, user_key: SQL expressions.
-#}
{% macro is_internal(ip, host, user_key) -%}
    (
        false
        {%- for network in var('internal_ips') %}
        or {{ in_network(ip, network) }}
        {%- endfor %}
        {%- for internal in var('internal_hosts') %}
        {%- set text = internal | lower | replace("'", "''") %}
        or {{ host }} = '{{ text }}'
        or ends_with({{ host }}, '.{{ text }}')
        {%- endfor %}
        {%- if var('internal_email_domains') %}
        or {{ user_key }} in (
            select identifiers.user_key
            from {{ ref('int_identity__identifiers') }} as identifiers
            where
                identifiers.identifier_type = 'email'
                and (
                    false
                    {%- for domain in var('internal_email_domains') %}
                    {%- set text = domain | lower | replace("'", "''") %}
                    or ends_with(identifiers.identifier_value, '@{{ text }}')
                    or ends_with(identifiers.identifier_value, '.{{ text }}')
                    {%- endfor %}
                )
        )
        {%- endif %}
    )
{%- endmacro %}


{#- Whether an IP address, as text, is in a network: an address, or one with the length of its prefix. -#}
{% macro in_network(ip, network) -%}
    {%- set address, length = (network ~ '/').split('/')[:2] -%}
    {%- set text = "lower(trim(" ~ ip ~ "))" -%}
    {%- if not modules.re.match('^[0-9a-fA-F.:]+(/[0-9]+)?$', network) -%}
        {{ exceptions.raise_compiler_error("internal_ips: '" ~ network ~ "' is no address and no network") }}
    {%- elif not length -%}
    {{ text }} = '{{ address | lower }}'
    {%- elif ':' in address -%}
        {%- set groups = address.split('::')[0].split(':') -%}
        {%- set count = (length | int) // 16 -%}
        {%- if (length | int) % 16 or count > groups | length -%}
            {{ exceptions.raise_compiler_error("internal_ips: '" ~ network ~ "' must be cut between groups of 16 bits that are written out") }}
        {%- endif -%}
    starts_with({{ text }}, '{{ groups[:count] | join(':') | lower }}:')
    {%- else -%}
        {%- set octets = address.split('.') -%}
        {%- set whole = (length | int) // 8 -%}
        {%- set size = 2 ** (8 - (length | int) % 8) -%}
    (
        starts_with({{ text }}, '{{ octets[:whole] | join('.') }}{{ '.' if 0 < whole < 4 }}')
        {%- if (length | int) % 8 %}
        {%- set first = (octets[whole] | int) // size * size %}
        and try_cast(split_part({{ text }}, '.', {{ whole + 1 }}) as integer) between {{ first }} and {{ first + size - 1 }}
        {%- endif %}
    )
    {%- endif -%}
{%- endmacro %}
