{% macro attribution_model__last_non_direct_touch() -%}
    case when touch_number = last_non_direct_number then 1 else 0 end
{%- endmacro %}
