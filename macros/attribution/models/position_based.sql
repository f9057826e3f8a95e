{% macro attribution_model__position_based() -%}
    {%- set first_share = attribution_setting('position_based_first_share', 0, 1) -%}
    {%- set last_share = attribution_setting('position_based_last_share', 0, 1) -%}
    {%- set both = var('position_based_first_share') + var('position_based_last_share') -%}
    {%- if both <= 0 or both > 1 -%}
        {%- do exceptions.raise_compiler_error(
            "vars position_based_first_share and position_based_last_share add up to " ~ both
            ~ "; together they must be above 0 and at most 1"
        ) -%}
    {%- endif -%}
    case when touch_number = 1 then {{ first_share }} else 0e0 end
    + case when touch_number = touch_count then {{ last_share }} else 0e0 end
    + case
        when touch_number > 1 and touch_number < touch_count
            -- The difference of two shares may miss 0 by a rounding.
            then greatest(1e0 - {{ first_share }} - {{ last_share }}, 0e0) / nullif(touch_count - 2, 0)
        else 0e0
    end
{%- endmacro %}
