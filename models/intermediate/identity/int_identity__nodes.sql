-- One row per identifier, with the number that it was given when it was first seen.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='node',
    on_schema_change='fail'
) }}
{%- set types = identifier_types() %}
with observed as (
    select * from {{ ref('int_identity__observed') }}
    where {{ only_affected('file_seq', 'int_nights__changed_files', 'file_seq') }}
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
        -- A row has one identifier of each type, so that no two have the same place.
        cast(min(first_load) + type_rank as bigint) as load_order,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from identifiers
    group by identifier_type, type_rank, identifier_value
),

{%- if is_incremental() %}

known as (
    select * from {{ this }}
),

-- Files are only added, so that what is known stays true.
merged as (
    select
        known.node,
        grouped.identifier_type,
        grouped.type_rank,
        grouped.identifier_value,
        known.identifier_hash,
        least(known.load_order, grouped.load_order) as load_order,
        least(known.first_seen_at, grouped.first_seen_at) as first_seen_at,
        greatest(known.last_seen_at, grouped.last_seen_at) as last_seen_at
    from grouped
    left join known
        on
            grouped.identifier_type = known.identifier_type
            and grouped.identifier_value = known.identifier_value
),

last_number as (
    select coalesce(max(node), 0) as node from known
),
{%- else %}

merged as (
    select
        cast(null as bigint) as node,
        identifier_type,
        type_rank,
        identifier_value,
        cast(null as varchar) as identifier_hash,
        load_order,
        first_seen_at,
        last_seen_at
    from grouped
),

last_number as (
    select 0 as node
),
{%- endif %}

final as (
    select
        cast(coalesce(
            merged.node,
            last_number.node
            + row_number() over (partition by merged.node is null order by merged.load_order)
        ) as bigint) as node,
        merged.identifier_type,
        cast(merged.type_rank as integer) as type_rank,
        merged.identifier_value,
        coalesce(merged.identifier_hash, {{ hash_identifier('merged.identifier_value') }})
            as identifier_hash,
        merged.load_order,
        merged.first_seen_at,
        merged.last_seen_at,
        {{ changed_now() }} as changed_at
    from merged
    cross join last_number
)

select * from final
