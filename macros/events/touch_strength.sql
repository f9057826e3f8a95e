{#- How strong a kind of touch is when several are one contact: a click says more than a visit, a visit more than a view. -#}
{% macro touch_strength(touch_type) -%}
    case {{ touch_type }}
        when 'click' then 4
        when 'session' then 3
        when 'view' then 2
        when 'delivery' then 1
    end
{%- endmacro %}
