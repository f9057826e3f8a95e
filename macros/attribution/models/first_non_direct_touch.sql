{% macro attribution_model__first_non_direct_touch() -%}
    case when touch_number = first_non_direct_number then 1 else 0 end
{%- endmacro %}
