{#-
  The kind of device of most visits that had ended, and whether there is another. Of equal counts the first of desktop, mobile,
  tablet, other.
-#}
{% macro segment_family__device_behavior() -%}
    {%- set kinds = ['desktop', 'mobile', 'tablet', 'other'] -%}
    {%- set counts = [] -%}
    {%- for kind in kinds -%}
        {%- do counts.append('features.visits_' ~ kind ~ '_count') -%}
    {%- endfor -%}
    case
        {%- for kind in kinds %}
        when {{ counts[loop.index0] }} > 0 and {{ counts[loop.index0] }} = {{ counts | join(' + ') }} then '{{ kind }}_only'
        {%- endfor %}
        {%- for kind in kinds %}
        when {{ counts[loop.index0] }} > 0 and {{ counts[loop.index0] }} = greatest({{ counts | join(', ') }}) then '{{ kind }}_first'
        {%- endfor %}
    end
{%- endmacro %}


{% macro segment_catalog__device_behavior() -%}
    {{ return({
        'kind': 'rule',
        'segments': {
            'desktop_only': 'All visits with a desktop computer',
            'mobile_only': 'All visits with a mobile telephone',
            'tablet_only': 'All visits with a tablet',
            'other_only': 'All visits with another device, such as a television',
            'desktop_first': 'Most visits with a desktop computer, some with another device',
            'mobile_first': 'Most visits with a mobile telephone, some with another device',
            'tablet_first': 'Most visits with a tablet, some with another device',
            'other_first': 'Most visits with another device, such as a television, some with a computer or telephone',
        },
    }) }}
{%- endmacro %}
