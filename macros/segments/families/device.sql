{#- Kind of the device that the person was last seen with, strictly before the moment. -#}
{% macro segment_family__device() -%}
    case
        when features.device_type in ('desktop', 'mobile', 'tablet') then features.device_type
        when features.device_type is not null then 'other'
    end
{%- endmacro %}


{% macro segment_catalog__device() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'desktop': 'Last seen with a desktop or laptop computer',
            'mobile': 'Last seen with a mobile telephone',
            'tablet': 'Last seen with a tablet',
            'other': 'Last seen with another device, such as a television or a watch',
        },
    }) }}
{%- endmacro %}
