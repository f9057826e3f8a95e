{% macro attribution_model__time_decay() -%}
    pow(
        2e0,
        -seconds_before_last_touch
        / ({{ attribution_setting('time_decay_half_life_days', 0.0001, 100000) }} * 86400e0)
    )
{%- endmacro %}
