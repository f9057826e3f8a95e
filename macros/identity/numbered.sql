{#- The rows of a relation of combinations of identifiers, with the number of each identifier as <type>_node. -#}
{% macro numbered(relation) -%}
    select
        {%- for identifier_type in identifier_types() %}
        {{ identifier_type }}_nodes.node as {{ identifier_type }}_node,
        {%- endfor %}
        {{ relation }}.*
    from {{ relation }}
    {%- for identifier_type in identifier_types() %}
    left join {{ ref('int_identity__nodes') }} as {{ identifier_type }}_nodes
        on {{ identifier_type }}_nodes.identifier_type = '{{ identifier_type }}'
        and {{ relation }}.{{ identifier_type }} = {{ identifier_type }}_nodes.identifier_value
    {%- endfor %}
{%- endmacro %}
