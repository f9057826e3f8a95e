-- One row per landed file x pair of identifiers that stand together in rows of it.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='file_seq',
    meta={'affected': 'int_nights__changed_files'},
    on_schema_change='fail'
) }}
{%- set types = identifier_types() %}
with observed as (
    select * from {{ ref('int_identity__observed') }}
    where {{ only_affected('file_seq', 'int_nights__changed_files', 'file_seq') }}
),

numbered as (
    {{ numbered('observed') }}
),

-- The stronger kind is the source.
pairs as (
    {%- for source_type in types[:-1] %}
    {%- set source_rank = loop.index %}
    {%- for target_type in types[source_rank:] %}
    select
        file_seq,
        {{ source_type }}_node as source_node,
        {{ target_type }}_node as target_node,
        {{ source_rank }} as source_rank,
        {{ source_rank + loop.index }} as target_rank,
        evidence_count,
        first_seen_at,
        last_seen_at
    from numbered
    where
        {{ source_type }}_node is not null
        and {{ target_type }}_node is not null
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

final as (
    select
        file_seq,
        source_node,
        target_node,
        cast(min(source_rank) as integer) as source_rank,
        cast(min(target_rank) as integer) as target_rank,
        cast(sum(evidence_count) as bigint) as evidence_count,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from pairs
    group by file_seq, source_node, target_node
)

select * from final
