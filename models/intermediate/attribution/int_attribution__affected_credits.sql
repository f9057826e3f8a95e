-- One row per conversion, old or new, whose credit may differ from that of the last night: its
-- journey is affected, or its person's lifetime value is another.
{%- set built_conversions = as_built('conversions', 'marts') %}
with affected_journeys as (
    select * from {{ ref('int_nights__affected_journeys') }}
),

conversions as (
    select * from {{ ref('int_attribution__conversions') }}
),

final as (
    select conversions.conversion_id
    from conversions
    inner join affected_journeys
        on conversions.conversion_id = affected_journeys.journey_id
    {%- if built_conversions is not none %}
    union
    -- Those that are gone, too.
    select built.conversion_id
    from {{ built_conversions }} as built
    left join conversions
        on built.conversion_id = conversions.conversion_id
    where
        built.clv is distinct from conversions.clv
        or built.conversion_id in (
            select affected_journeys.journey_id
            from affected_journeys
        )
    {%- endif %}
)

select * from final
