{% macro attribution_model__last_paid_touch() -%}
    case when touch_number = last_paid_number then 1 else 0 end
{%- endmacro %}
