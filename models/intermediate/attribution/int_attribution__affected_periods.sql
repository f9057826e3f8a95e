-- One row per first day of a period whose intervals are taken anew: the months with a day of other
-- credit, and the periods up to now, as they were and as they are.
{%- set built_intervals = as_built('attribution_intervals', 'marts') %}
with affected_days as (
    select * from {{ ref('int_attribution__affected_days') }}
),

final as (
    select cast(date_trunc('month', converted_date) as date) as period_started_on
    from affected_days
    {%- for days in attribution_windows().values() %}
    union
    select {{ attribution_window_started_on(days) }} as period_started_on
    {%- endfor %}
    {%- if built_intervals is not none %}
    union
    select period_started_on
    from {{ built_intervals }}
    where period <> 'month'
    {%- endif %}
)

select * from final
