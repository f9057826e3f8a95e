-- One row per landed file x distinct combination of identifiers seen together in a row of it.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='file_seq',
    meta={'affected': 'int_nights__changed_files'},
    on_schema_change='fail'
) }}
{%- set types = identifier_types() %}

with observations as (
    select * from {{ ref('int_identity__observations') }}
    where {{ only_affected('file_seq', 'int_nights__changed_files', 'file_seq') }}
),

combinations as (
    select
        file_seq,
        {%- for identifier_type in types %}
        {{ identifier_type }},
        {%- endfor %}
        count(*) as evidence_count,
        min(load_place) as first_load,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at
    from observations
    group by file_seq, {{ types | join(', ') }}
),

without_placeholders as (
    select
        file_seq,
        {%- for identifier_type in types %}
        {{ unless_placeholder(identifier_type) }} as {{ identifier_type }},
        {%- endfor %}
        evidence_count,
        first_load,
        first_seen_at,
        last_seen_at
    from combinations
),

-- Grouped once more: what differed only in a placeholder is one combination now.
final as (
    select
        file_seq,
        {%- for identifier_type in types %}
        {{ identifier_type }},
        {%- endfor %}
        cast(sum(evidence_count) as bigint) as evidence_count,
        min(first_load) as first_load,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from without_placeholders
    where coalesce({{ types | join(', ') }}) is not null
    group by file_seq, {{ types | join(', ') }}
)

select * from final
