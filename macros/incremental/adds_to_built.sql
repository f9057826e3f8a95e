{#-
  Whether the model adds what changed to what the last night left. A unit test that gives no `this` has no table to add to.
-#}
{% macro adds_to_built() -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro %}
