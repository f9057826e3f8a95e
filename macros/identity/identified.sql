{#-
  Every row of a relation with the person it belongs to: the person of the first of its identifiers that is known.

  Args:
    relation: name of a CTE or relation, each row once.
    identifier_types: the identifier columns that it has, strongest first.
  Returns: the relation's columns and user_key (null where no identifier is usable).
-#}
{% macro identified(relation, identifier_types) -%}
    select
        {{ relation }}.*,
        coalesce(
            {%- for identifier_type in identifier_types %}
            {{ identifier_type }}_owner.user_key{{ ',' if not loop.last }}
            {%- endfor %}
        ) as user_key
    from {{ relation }}
    {%- for identifier_type in identifier_types %}
    left join {{ ref('int_identity__identifiers') }} as {{ identifier_type }}_owner
        on {{ identifier_type }}_owner.identifier_type = '{{ identifier_type }}'
        and {{ identifier_type }}_owner.identifier_value
            = {{ normalise_identifier(identifier_type, relation ~ '.' ~ identifier_type) }}
    {%- endfor %}
{%- endmacro %}
