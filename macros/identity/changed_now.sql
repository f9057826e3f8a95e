{#- The clock of the night that a row is written in; null where everything is built. A later night asks for >= as_of(). -#}
{% macro changed_now() -%}
    {{ as_of() if is_incremental() else 'cast(null as timestamp)' }}
{%- endmacro %}
