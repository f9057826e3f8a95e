{#- Last known country with region, strictly before the moment; before anything was observed, the CRM record's; urbanity where it is known. -#}
{% macro segment_family__geographic() -%}
    coalesce(features.country || ' / ' || features.region, features.country, features.region)
    || coalesce(' / ' || features.urbanity, '')
{%- endmacro %}


{% macro segment_catalog__geographic() -%}
    {{ return({
        'kind': 'rule',
        'segments': {'*': 'Last known country / region, with urbanity where it is known'},
    }) }}
{%- endmacro %}
