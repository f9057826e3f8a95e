{#- The moment this night is judged as of (exclusive): the end of its DATE. One row, written by the load step. -#}
{% macro as_of() -%}
    (select clock.as_of from {{ source('ops', 'clock') }} as clock)
{%- endmacro %}
