{#- Interest with value theme, as stated or observed strictly before the moment, while the person allows it; what is unknown is left out. -#}
{% macro segment_family__psychographic() -%}
    coalesce(features.interest || ' / ' || features.value_theme, features.interest, features.value_theme)
{%- endmacro %}


{% macro segment_catalog__psychographic() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            '*': 'Last known interest / value theme of people who allow psychographic use',
        },
    }) }}
{%- endmacro %}
