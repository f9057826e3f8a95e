{#-
  How recently, how often and for how much a person ordered.

  Each of recency (days since the last order), frequency (orders in 365 days) and monetary value (revenue in 365 days) has a
  score of 1 to 5 by the fitted quintiles that were valid at the moment; 5 is best, a value equal to a limit counts to the
  side of the limit's fifth. Frequency and monetary score are added (2 to 10); with the recency score they name the group.
-#}
{% macro segment_family__rfm() -%}
    {%- set recency_score = rfm_score('features.days_since_last_order', 'r', descending=true) -%}
    {%- set value_score = '(' ~ rfm_score('features.orders_365d', 'f', descending=false) ~ ' + ' ~ rfm_score('features.revenue_365d', 'm', descending=false) ~ ')' -%}
    case
        when rfm.version is null then null
        when features.orders_count = 0 then 'no_order'
        when {{ recency_score }} >= 4 then
            case
                when {{ value_score }} >= 8 then 'champions'
                when {{ value_score }} >= 4 then 'potential_loyalists'
                else 'recent'
            end
        when {{ recency_score }} = 3 then
            case
                when {{ value_score }} >= 8 then 'loyal'
                when {{ value_score }} >= 4 then 'needs_attention'
                else 'about_to_sleep'
            end
        else
            case
                when {{ value_score }} >= 8 then 'cannot_lose'
                when {{ value_score }} >= 6 then 'at_risk'
                when {{ value_score }} >= 4 then 'hibernating'
                else 'lost'
            end
    end
{%- endmacro %}


{#- Score of 1 to 5 of a value by the four limits <letter>_20 .. <letter>_80; descending: small values are best. -#}
{% macro rfm_score(value, letter, descending) -%}
    {%- set scores = [5, 4, 3, 2, 1] if descending else [1, 2, 3, 4, 5] -%}
    (
        case
            {%- for percent in [20, 40, 60, 80] %}
            when {{ value }} <= rfm.{{ letter }}_{{ percent }} then {{ scores[loop.index0] }}
            {%- endfor %}
            else {{ scores[4] }}
        end
    )
{%- endmacro %}


{% macro segment_catalog__rfm() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'champions': 'Ordered recently (score 4 or 5), often and for much (frequency and monetary scores add up to 8 or more)',
            'potential_loyalists': 'Ordered recently (4 or 5), with medium frequency and value (4 to 7)',
            'recent': 'Ordered recently (4 or 5), seldom and for little (2 or 3)',
            'loyal': 'Recency 3, often and for much (8 or more)',
            'needs_attention': 'Recency 3, medium frequency and value (4 to 7)',
            'about_to_sleep': 'Recency 3, seldom and for little (2 or 3)',
            'cannot_lose': 'Long away (recency 1 or 2) after ordering often and for much (8 or more)',
            'at_risk': 'Long away (1 or 2) after above-medium frequency and value (6 or 7)',
            'hibernating': 'Long away (1 or 2) after below-medium frequency and value (4 or 5)',
            'lost': 'Long away (1 or 2), seldom and for little (2 or 3)',
            'no_order': 'Has not ordered before the moment',
        },
    }) }}
{%- endmacro %}


{% macro segment_versions__rfm() -%}
    {{ return(source('ml', 'rfm_thresholds')) }}
{%- endmacro %}
