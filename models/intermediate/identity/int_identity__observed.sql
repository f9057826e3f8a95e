-- One row per landed file x distinct combination of identifiers seen together in a row of it.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='file_seq',
    meta={'affected': 'int_nights__changed_files'},
    on_schema_change='fail'
) }}
{%- set types = identifier_types() %}
{%- set observed_in = {
    'int_events__landed': {'columns': ['anonymous_id', 'user_id', 'email', 'phone'], 'seen_at': 'occurred_at'},
    'stg_segment__aliases': {'columns': ['anonymous_id', 'user_id'], 'seen_at': 'aliased_at'},
    'stg_landing__orders': {'columns': ['anonymous_id', 'user_id', 'email'], 'seen_at': 'ordered_at'},
    'stg_landing__contacts': {'columns': ['contact_id', 'user_id', 'email', 'phone'], 'seen_at': 'created_at'},
    'stg_landing__offline_conversions': {'columns': ['user_id', 'email', 'phone'], 'seen_at': 'converted_at'},
    'stg_landing__experiment_assignments': {'columns': ['anonymous_id', 'user_id'], 'seen_at': 'assigned_at'},
    'stg_landing__consents': {'columns': ['anonymous_id', 'user_id', 'email'], 'seen_at': 'changed_at'},
    'stg_landing__profile_attributes': {'columns': ['user_id', 'email'], 'seen_at': 'observed_at'},
} %}

with observations as (
    {%- for model, parts in observed_in.items() %}
    select
        {%- for identifier_type in types %}
        {% if identifier_type in parts.columns -%}
        {{ normalise_identifier(identifier_type, identifier_type) }}
        {%- else -%} cast(null as varchar)
        {%- endif %} as {{ identifier_type }},
        {%- endfor %}
        file_seq,
        row_number,
        {{ parts.seen_at }} as seen_at
    from {{ ref(model) }}
    where
        coalesce({{ parts.seen_at }} < {{ as_of() }}, true)
        and {{ only_affected('file_seq', 'int_nights__changed_files', 'file_seq') }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

combinations as (
    select
        file_seq,
        {%- for identifier_type in types %}
        {{ identifier_type }},
        {%- endfor %}
        count(*) as evidence_count,
        -- The place in the order of loading: first by file, then by row.
        min(file_seq * 4294967296 + row_number) as first_load,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at
    from observations
    group by file_seq, {{ types | join(', ') }}
),

without_placeholders as (
    select
        file_seq,
        {%- for identifier_type in types %}
        case
            when lower({{ identifier_type }}) not in (
                select placeholders.identifier_value
                from {{ ref('identity_placeholders') }} as placeholders
            ) then {{ identifier_type }}
        end as {{ identifier_type }},
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
