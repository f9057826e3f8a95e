{#- Touchpoints that an exact path has at most: 6 bits each in 126. -#}
{% macro longest_exact_path() -%}
    {{ return(20) }}
{%- endmacro %}


{#-
  An aggregate: the exact path of elements with codes from 0 to 63, as one number that no two paths of equal length share.

  Args:
    code: SQL expression of a touchpoint's code.
    touch_number: SQL expression of its number, from 1 to longest_exact_path.
-#}
{% macro path_code(code, touch_number) -%}
    bit_or(cast({{ code }} as hugeint) * {{ path_place(touch_number) }})
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
