{#-
  What engines spell differently, in one place. Each public macro dispatches; a new engine adds `<engine>__<name>`.
-#}

{#- Microseconds since 1970-01-01 UTC of a timestamp, bigint: exact, so that it may be compared with a threshold. -#}
{% macro microseconds(moment) -%}
    {{ return(adapter.dispatch('microseconds')(moment)) }}
{%- endmacro %}

{% macro default__microseconds(moment) -%}
    epoch_us({{ moment }})
{%- endmacro %}

{#- Whether a text holds a match of a regular expression. -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches')(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }})
{%- endmacro %}

{#- A text without the characters that a pattern matches. -#}
{% macro without(text, pattern) -%}
    {{ return(adapter.dispatch('without')(text, pattern)) }}
{%- endmacro %}

{% macro default__without(text, pattern) -%}
    regexp_replace({{ text }}, {{ pattern }}, '', 'g')
{%- endmacro %}

{#- The text at a JSON path, null where there is none. -#}
{% macro json_text(document, path) -%}
    {{ return(adapter.dispatch('json_text')(document, path)) }}
{%- endmacro %}

{% macro default__json_text(document, path) -%}
    json_extract_string({{ document }}, {{ path }})
{%- endmacro %}

{#- One row per whole number of a range, both ends included. -#}
{% macro explode_range(first, last) -%}
    {{ return(adapter.dispatch('explode_range')(first, last)) }}
{%- endmacro %}

{% macro default__explode_range(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}))
{%- endmacro %}

{#- A value list in an order, as a list: paths are lists, so that no character in a name can break one. -#}
{% macro ordered_list(value, order_by) -%}
    {{ return(adapter.dispatch('ordered_list')(value, order_by)) }}
{%- endmacro %}

{% macro default__ordered_list(value, order_by) -%}
    list({{ value }} order by {{ order_by }})
{%- endmacro %}

{#- SHA-256 of bytes given as a blob, as lower-case hexadecimal text; and bytes from hexadecimal and from text. -#}
{% macro sha256_hex(bytes) -%}
    {{ return(adapter.dispatch('sha256_hex')(bytes)) }}
{%- endmacro %}

{% macro default__sha256_hex(bytes) -%}
    sha256({{ bytes }})
{%- endmacro %}

{#- The moment half-way between two, to the microsecond. -#}
{% macro halfway(first, second) -%}
    {{ return(adapter.dispatch('halfway')(first, second)) }}
{%- endmacro %}

{% macro default__halfway(first, second) -%}
    make_timestamp((epoch_us({{ first }}) + epoch_us({{ second }})) // 2)
{%- endmacro %}

{#- A number of days, to be added to a timestamp. -#}
{% macro days_interval(days) -%}
    {{ return(adapter.dispatch('days_interval')(days)) }}
{%- endmacro %}

{% macro default__days_interval(days) -%}
    interval ({{ days }}) day
{%- endmacro %}
