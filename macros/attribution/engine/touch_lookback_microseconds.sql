{#- The lookback of a touch type in microseconds, from var touch_lookback_days; a value that is no number of days stops the run. -#}
{% macro touch_lookback_microseconds(touch_type) -%}
    {%- set days = var('touch_lookback_days')[touch_type] -%}
    {%- if touch_type not in ['session', 'view', 'click', 'delivery'] or days is not number or days is boolean or days < 0 -%}
        {%- do exceptions.raise_compiler_error(
            "var touch_lookback_days says " ~ days ~ " for " ~ touch_type ~ "; it maps session, view, click or delivery to days, 0 or more"
        ) -%}
    {%- endif -%}
    {{ return((days * 86400000000) | int) }}
{%- endmacro %}
