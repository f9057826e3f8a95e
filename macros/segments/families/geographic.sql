{#- Last known country with region, strictly before the moment; before anything was observed, the CRM record's. -#}
{% macro segment_family__geographic() -%}
    coalesce(features.country || ' / ' || features.region, features.country, features.region)
{%- endmacro %}


{% macro segment_catalog__geographic() -%}
    {{ return({
        'kind': 'rule',
        'segments': {'*': 'Last known country / region'},
    }) }}
{%- endmacro %}
