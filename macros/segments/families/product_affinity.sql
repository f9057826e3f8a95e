{#- The category of most orders; of equal counts, the one that was reached last. -#}
{% macro segment_family__product_affinity() -%}
    features.top_category
{%- endmacro %}


{% macro segment_catalog__product_affinity() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            '*': 'Category of most orders',
        },
    }) }}
{%- endmacro %}
