{#-
  One touchpoint's share of its conversion under a model: its weight divided by the journey's sum of weights, and where
  that sum is 0 the share under the model's fallback. Reads weight_<model> of `weighted` and total_<model> of `journeys`.
-#}
{% macro attribution_credit(model) -%}
    {%- set shares -%}
    coalesce(
                {%- for candidate in attribution_fallbacks(model) %}
                weighted.weight_{{ candidate }} / nullif(journeys.total_{{ candidate }}, 0e0)
                {{- ',' if not loop.last }}
                {%- endfor %}
            )
    {%- endset -%}
    {%- set decimals = attribution_credit_decimals() -%}
    {{ return(shares if decimals is none else 'round(' ~ shares ~ ', ' ~ decimals ~ ')') }}
{%- endmacro %}
