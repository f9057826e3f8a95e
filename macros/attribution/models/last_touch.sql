{% macro attribution_model__last_touch() -%}
    case when touch_number = touch_count then 1 else 0 end
{%- endmacro %}
