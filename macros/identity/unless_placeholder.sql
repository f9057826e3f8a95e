{#- An identifier; null where it is a text that programs write for a missing one (seed identity_placeholders). -#}
{% macro unless_placeholder(value) -%}
    case
            when lower({{ value }}) not in (
                select placeholders.identifier_value
                from {{ ref('identity_placeholders') }} as placeholders
                where placeholders.effect = 'ignored'
            ) then {{ value }}
        end
{%- endmacro %}
