-- One row per pair of identifiers that somebody said are not one person's.
-- A decision of today holds for a night that is judged as of an earlier day too.
with vetoes as (
    select * from {{ ref('stg_landing__identity_vetoes') }}
),

nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

canonical as (
    {%- for first_type in identifier_types() %}
    {%- for second_type in identifier_types() %}
    select
        first_type,
        {{ normalise_identifier(first_type, 'first_value') }} as first_value,
        second_type,
        {{ normalise_identifier(second_type, 'second_value') }} as second_value
    from vetoes
    where
        first_type = '{{ first_type }}'
        and second_type = '{{ second_type }}'
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

final as (
    select distinct
        least(firsts.node, seconds.node) as first_node,
        greatest(firsts.node, seconds.node) as second_node
    from canonical
    inner join nodes as firsts
        on
            canonical.first_type = firsts.identifier_type
            and canonical.first_value = firsts.identifier_value
    inner join nodes as seconds
        on
            canonical.second_type = seconds.identifier_type
            and canonical.second_value = seconds.identifier_value
    where firsts.node <> seconds.node
)

select * from final
