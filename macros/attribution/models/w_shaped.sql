{% macro attribution_model__w_shaped() -%}
    {%- set role_share = attribution_setting('w_shaped_role_share', 0, 0.3333333333333333) -%}
    case
        when lead_number is null then 0e0
        when touch_number not in (1, lead_number, touch_count)
            then (1e0 - 3 * {{ role_share }}) / nullif(
                touch_count
                - case when touch_count = 1 then 1 else 2 end
                - case when lead_number in (1, touch_count) then 0 else 1 end,
                0
            )
        else {{ role_share }} * (
            case when touch_number = 1 then 1 else 0 end
            + case when touch_number = lead_number then 1 else 0 end
            + case when touch_number = touch_count then 1 else 0 end
        )
    end
{%- endmacro %}
