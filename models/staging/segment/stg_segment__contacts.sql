-- One row per landed identify call that tells traits of somebody.
-- RudderStack has the traits in the context.
{%- set trait_paths = {
    'email': '$.email',
    'phone': '$.phone',
    'first_name': '$.firstName',
    'last_name': '$.lastName',
    'birth_date': '$.birthday',
    'gender': '$.gender',
    'country': '$.address.country',
    'region': '$.address.state',
    'city': '$.address.city',
    'postal_code': '$.address.postalCode',
    'language': '$.language',
} %}
with source as (
    {{ released('segment') }}
    where
        lower(landed.type) = 'identify'
        and coalesce(landed.traits, {{ json_part('landed.context', "'$.traits'") }}) is not null
),

extracted as (
    select
        source.*,
        {{ json_texts("coalesce(traits, " ~ json_part('context', "'$.traits'") ~ ")",
            trait_paths.values()) }} as trait_texts
    from source
),

renamed as (
    select
        ---------- keys
        anonymous_id,
        user_id,
        ---------- text
        {%- for name in trait_paths if name != 'birth_date' %}
        {{ text_named(name, 'trait_texts', trait_paths) }} as {{ name }},
        {%- endfor %}
        ---------- times
        try_cast(
            left({{ text_named('birth_date', 'trait_texts', trait_paths) }}, 10) as date
        ) as birth_date,
        coalesce(timestamp, original_timestamp, received_at) as updated_at,
        ---------- load
        _file_seq as file_seq,
        _row_number as row_number,
        _loaded_at as loaded_at
    from extracted
)

select * from renamed
