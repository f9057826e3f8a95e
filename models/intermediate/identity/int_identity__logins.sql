-- One row per moment at which a device that different people used was seen with identifiers of one.
{%- set built = as_built(this.name) %}
{%- set people = type_ranks(person_types()) %}
{%- set devices = device_types() %}
-- depends_on: {{ ref('int_nights__changed_files') }}, {{ ref('int_identity__observed') }}
with nodes as (
    select * from {{ ref('int_identity__nodes') }}
),

-- Cut people's devices too: what two people are told apart by is not in the links.
shared_devices as (
    select
        nodes.identifier_type as device_type,
        nodes.identifier_value as device_value
    from nodes
    where
        nodes.type_rank in {{ type_ranks(devices) }}
        and nodes.node in (
            select shared_devices.node
            from {{ ref('int_identity__shared_devices') }} as shared_devices
            union all
            select cut.node from {{ ref('int_identity__cut') }} as cut
        )
),

{%- if built is not none %}

seen_tonight as (
    {%- for device_type in devices %}
    select
        '{{ device_type }}' as device_type,
        {{ device_type }} as device_value
    from {{ ref('int_identity__observed') }}
    where
        {{ device_type }} is not null
        and file_seq in (
            select changed_files.file_seq
            from {{ ref('int_nights__changed_files') }} as changed_files
        )
    {% if not loop.last %}union{% endif %}
    {%- endfor %}
),

-- Of the others, the logins are known.
kept as (
    select built_logins.*
    from {{ built }} as built_logins
    inner join shared_devices
        on
            built_logins.device_type = shared_devices.device_type
            and built_logins.device_value = shared_devices.device_value
    left join seen_tonight
        on
            built_logins.device_type = seen_tonight.device_type
            and built_logins.device_value = seen_tonight.device_value
    where seen_tonight.device_type is null
),
{%- endif %}

read_devices as (
    select shared_devices.*
    from shared_devices
    {%- if built is not none %}
    left join kept
        on
            shared_devices.device_type = kept.device_type
            and shared_devices.device_value = kept.device_value
    where kept.device_type is null
    {%- endif %}
),

{%- for device_type in devices %}

{{ device_type }}_logins as (
    select
        '{{ device_type }}' as device_type,
        {{ device_type }} as device_value,
        {%- for person_type in person_types() %}
        {{ unless_placeholder(person_type) }} as {{ person_type }},
        {%- endfor %}
        seen_at
    from {{ ref('int_identity__observations') }}
    where
        {{ device_type }} in (
            select read_devices.device_value
            from read_devices
            where read_devices.device_type = '{{ device_type }}'
        )
        and seen_at is not null
),
{%- endfor %}

logins as (
    {%- for device_type in devices %}
    select * from {{ device_type }}_logins
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

final as (
    select distinct * from logins
    where coalesce({{ person_types() | join(', ') }}) is not null
    {%- if built is not none %}
    union all
    select * from kept
    {%- endif %}
)

select * from final
