{#- Touchpoints that an exact path has at most: 6 bits each in 126. -#}
{% macro longest_exact_path() -%}
    {{ return(20) }}
{%- endmacro %}


{#- What a code is multiplied with at a place of a path; beyond the longest path 0. -#}
{% macro path_place(touch_number) -%}
    case
        when {{ touch_number }} <= {{ longest_exact_path() }}
            then cast(1 as hugeint) << cast(6 * ({{ touch_number }} - 1) as hugeint)
        else cast(0 as hugeint)
    end
{%- endmacro %}


{#-
  The path without one of its touchpoints.

  Args:
    path: SQL expression of the number of a path.
    touch_number: SQL expression of the place that is left out.
-#}
{% macro path_code_without(path, touch_number) -%}
    {#- Longer paths have no number; the shift must not leave the width of one all the same. -#}
    {%- set place = 'least(' ~ touch_number ~ ', ' ~ longest_exact_path() ~ ')' -%}
    (
        {{ path }} & ((cast(1 as hugeint) << cast(6 * ({{ place }} - 1) as hugeint)) - 1)
    )
    + (
        ({{ path }} >> cast(6 * {{ place }} as hugeint))
        << cast(6 * ({{ place }} - 1) as hugeint)
    )
{%- endmacro %}


{#-
  The codes of the touchpoint at a place of a path and of the three after it, 6 bits each, above them others; beyond the path 0.

  Args:
    place: SQL expression of the place, from 0 to longest_exact_path - 1; path_begin and path_end are
      columns.
-#}
{% macro codes_at_place(place) -%}
    {%- set half = longest_exact_path() // 2 -%}
    case
        when {{ place }} <= {{ half - 4 }} then path_begin >> (6 * ({{ place }}))
        when {{ place }} < {{ half }}
            then (path_begin >> (6 * ({{ place }}))) | ((path_end & {{ 64 ** 3 - 1 }}) << (6 * ({{ half }} - ({{ place }}))))
        else path_end >> (6 * ({{ place }} - {{ half }}))
    end
{%- endmacro %}
