{% macro attribution_windows() -%}
    {{ return({'last_28_days': 28, 'last_90_days': 90}) }}
{%- endmacro %}

{% macro attribution_window_started_on(days) -%}
    cast({{ as_of() }} - {{ days_interval(days) }} as date)
{%- endmacro %}
