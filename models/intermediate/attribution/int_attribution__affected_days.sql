-- One row per day on which a conversion, old or new, may have other credit than at the last night.
{%- set built_conversions = as_built('conversions', 'marts') %}
with affected_credits as (
    select * from {{ ref('int_attribution__affected_credits') }}
),

conversions as (
    select
        conversion_id,
        converted_at
    from {{ ref('int_attribution__conversions') }}
    {%- if built_conversions is not none %}
    union all
    select
        conversion_id,
        converted_at
    from {{ built_conversions }}
    {%- endif %}
),

final as (
    select distinct cast(conversions.converted_at as date) as converted_date
    from conversions
    inner join affected_credits
        on conversions.conversion_id = affected_credits.conversion_id
)

select * from final
