-- One row per landed row that may tell of identifiers, in canonical form; placeholders are still in
-- it. An alias is there twice: it is an event too.
{{ config(materialized='view') }}
{%- set observed_in = {
    'int_events__landed': {
        'columns': ['anonymous_id', 'device_id', 'user_id', 'email', 'phone', 'click_id'],
        'seen_at': 'occurred_at',
    },
    'stg_segment__aliases': {'columns': ['anonymous_id', 'user_id'], 'seen_at': 'aliased_at'},
    'stg_landing__orders': {'columns': ['anonymous_id', 'user_id', 'email'], 'seen_at': 'ordered_at'},
    'stg_landing__contacts': {'columns': ['contact_id', 'user_id', 'email', 'phone'], 'seen_at': 'created_at'},
    'stg_landing__offline_conversions': {'columns': ['user_id', 'email', 'phone'], 'seen_at': 'converted_at'},
    'stg_landing__experiment_assignments': {'columns': ['anonymous_id', 'user_id'], 'seen_at': 'assigned_at'},
    'stg_landing__consents': {'columns': ['anonymous_id', 'user_id', 'email'], 'seen_at': 'changed_at'},
    'stg_landing__profile_attributes': {'columns': ['user_id', 'email'], 'seen_at': 'observed_at'},
} %}

with final as (
    {%- for model, parts in observed_in.items() %}
    select
        {%- for identifier_type in identifier_types() %}
        {% if identifier_type in parts.columns -%}
        {{ normalise_identifier(identifier_type, identifier_type) }}
        {%- else -%} cast(null as varchar)
        {%- endif %} as {{ identifier_type }},
        {%- endfor %}
        file_seq,
        row_number,
        -- The place in the order of loading: by file, by row, an alias after its event, and room
        -- for the types.
        (file_seq * 4294967296 + row_number) * 16
        + {{ 8 if model == 'stg_segment__aliases' else 0 }} as load_place,
        {{ parts.seen_at }} as seen_at
    from {{ ref(model) }}
    where coalesce({{ parts.seen_at }} < {{ as_of() }}, true)
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select * from final
