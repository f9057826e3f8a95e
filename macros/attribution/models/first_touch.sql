{% macro attribution_model__first_touch() -%}
    case when touch_number = 1 then 1 else 0 end
{%- endmacro %}
