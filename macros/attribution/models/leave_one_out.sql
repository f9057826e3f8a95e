{% macro attribution_model__leave_one_out() -%}
    greatest(path_rate - shorter_path_rate, 0e0)
{%- endmacro %}
