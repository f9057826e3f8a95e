{#-
  HMAC-SHA256 of a text, hexadecimal. The key never enters SQL text or a log: its two padded forms are one row of raw._pii_key.
-#}
{% macro hash_identifier(value) -%}
    {%- set pads = source('raw', '_pii_key') -%}
    {{ sha256_hex(
        '(select keys.outer_pad from ' ~ pads ~ ' as keys) || unhex('
        ~ sha256_hex('(select keys.inner_pad from ' ~ pads ~ ' as keys) || encode(' ~ value ~ ')')
        ~ ')'
    ) }}
{%- endmacro %}
