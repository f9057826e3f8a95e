{#-
  Every row of a relation with the person it belongs to: the person of the first of its identifiers that is known. On a device
  that different people used, it is the one whose login is nearest in time. Identifiers that many people share come last.

  Args:
    relation: name of a CTE or relation, each row once.
    identifier_types: the identifier columns that it has, strongest first.
    moment: its column of when it happened; needed where a device is among its identifiers.
  Returns: the relation's columns and user_key (null where no identifier is usable).
-#}
{% macro identified(relation, identifier_types, moment=none) -%}
    select
        {{ relation }}.*,
        coalesce(
            {%- for identifier_type in identifier_types %}
            {%- if identifier_type in device_types() and moment %}
            {{ identifier_type }}_stint.user_key,
            {%- endif %}
            {%- if identifier_type in person_types() %}
            case when {{ identifier_type }}_owner.unlinked_reason is null then {{ identifier_type }}_owner.user_key end
            {%- else %}
            {{ identifier_type }}_owner.user_key
            {%- endif %}{{ ',' if not loop.last }}
            {%- endfor %}
            {%- for identifier_type in identifier_types if identifier_type in person_types() %},
            {{ identifier_type }}_owner.user_key
            {%- endfor %}
        ) as user_key
    from {{ relation }}
    {%- for identifier_type in identifier_types %}
    left join {{ ref('int_identity__identifiers') }} as {{ identifier_type }}_owner
        on {{ identifier_type }}_owner.identifier_type = '{{ identifier_type }}'
        and {{ identifier_type }}_owner.identifier_value
            = {{ normalise_identifier(identifier_type, relation ~ '.' ~ identifier_type) }}
    {%- if identifier_type in device_types() and moment %}
    left join {{ ref('int_identity__stints') }} as {{ identifier_type }}_stint
        on {{ identifier_type }}_stint.identifier_type = '{{ identifier_type }}'
        and {{ identifier_type }}_stint.identifier_value
            = {{ normalise_identifier(identifier_type, relation ~ '.' ~ identifier_type) }}
        {#- Plain comparisons, an or would keep the join from being a hash join. #}
        and {{ relation }}.{{ moment }} >= coalesce({{ identifier_type }}_stint.started_at, timestamp '-infinity')
        and {{ relation }}.{{ moment }} < coalesce({{ identifier_type }}_stint.ended_at, timestamp 'infinity')
    {%- endif %}
    {%- endfor %}
{%- endmacro %}
