-- One row per journey, old or new, whose rows may differ from those of the last night. A converting
-- journey is known by its conversion.
{%- set built_journeys = as_built('int_journeys__journeys') %}
{%- set built_conversions = as_built('conversions', 'marts') %}
-- depends_on: {{ ref('int_nights__affected_users') }}
-- depends_on: {{ ref('int_nights__affected_runs') }}
with conversions as (
    select * from {{ ref('int_conversions__valued') }}
),

unconverted as (
    select * from {{ ref('int_journeys__unconverted') }}
),

{%- if none in [built_journeys, built_conversions] %}

final as (
    select conversion_id as journey_id from conversions
    union
    select journey_id from unconverted
)
{%- else %}

clock as (
    select
        built_clock.as_of as from_at,
        {{ as_of() }} as to_at
    from {{ source('built', 'built_clock') }} as built_clock
),

-- What a conversion itself says.
changed_conversions as (
    select coalesce(conversions.conversion_id, built.conversion_id) as journey_id
    from conversions
    full outer join {{ built_conversions }} as built
        on conversions.conversion_id = built.conversion_id
    where
        conversions.conversion_id is null
        or built.conversion_id is null
        {%- for column in [
            'user_key', 'order_id', 'conversion_type', 'revenue', 'is_first', 'is_lead', 'converted_at'
        ] %}
        or conversions.{{ column }} is distinct from built.{{ column }}
        {%- endfor %}
),

-- Those that touches since the change may have led to.
later_conversions as (
    select conversions.conversion_id as journey_id
    from conversions
    inner join {{ ref('int_nights__affected_users') }} as affected
        on
            conversions.user_key = affected.user_key
            and conversions.converted_at >= affected.from_at
),

later_runs as (
    select unconverted.journey_id
    from unconverted
    inner join {{ ref('int_nights__affected_runs') }} as affected
        on
            unconverted.user_key = affected.user_key
            and unconverted.conversion_type = affected.conversion_type
            and unconverted.touched_at >= affected.from_at
),

built_runs as (
    select built.journey_id
    from {{ built_journeys }} as built
    inner join {{ ref('int_nights__affected_runs') }} as affected
        on
            built.user_key = affected.user_key
            and built.conversion_type = affected.conversion_type
            and built.ended_at >= affected.from_at
    where not built.is_converted
),

-- Open until now.
closed_runs as (
    select built.journey_id
    from {{ built_journeys }} as built
    cross join clock
    where built.open_until between clock.from_at and clock.to_at
),

final as (
    select journey_id from changed_conversions
    {%- for part in ['later_conversions', 'later_runs', 'built_runs', 'closed_runs'] %}
    union
    select journey_id from {{ part }}
    {%- endfor %}
)
{%- endif %}

select * from final
