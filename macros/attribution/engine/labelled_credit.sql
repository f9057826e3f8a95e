{#-
  Credit with the segment of each family that it counts for: that of the person as of the touch; where there is no touch, as of
  the conversion; of nobody known, unclassified.

  Args:
    apportioned: rows of int_attribution__apportioned.
    labelled_moments: rows of int_segments__labelled_moments.
-#}
{% macro labelled_credit(apportioned, labelled_moments) -%}
    select
        {%- for column in segment_columns() %}
        coalesce({{ labelled_moments }}.{{ column }}, 'unclassified') as {{ column }},
        {%- endfor %}
        {{ apportioned }}.*,
        cast({{ apportioned }}.converted_at as date) as converted_date
    from {{ apportioned }}
    left join {{ labelled_moments }}
        on
            {{ labelled_moments }}.moment_type
            = case when {{ apportioned }}.touchpoint_id is null then 'conversion' else 'touch' end
            and {{ labelled_moments }}.moment_id
            = coalesce({{ apportioned }}.touchpoint_id, {{ apportioned }}.conversion_id)
{%- endmacro %}
