-- One row per identifier, numbered in the order of loading.
{%- set types = identifier_types() %}
with observed as (
    select * from {{ ref('int_identity__observed') }}
),

identifiers as (
    {%- for identifier_type in types %}
    select
        '{{ identifier_type }}' as identifier_type,
        {{ loop.index }} as type_rank,
        {{ identifier_type }} as identifier_value,
        first_load,
        first_seen_at,
        last_seen_at
    from observed
    where {{ identifier_type }} is not null
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

grouped as (
    select
        identifier_type,
        type_rank,
        identifier_value,
        min(first_load) as first_load,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from identifiers
    group by identifier_type, type_rank, identifier_value
),

final as (
    select
        cast(row_number() over (order by first_load, type_rank, identifier_value) as bigint)
            as node,
        identifier_type,
        identifier_value,
        first_seen_at,
        last_seen_at
    from grouped
)

select * from final
