-- One row per date basis x scope x conversion type x month x channel x campaign: each model's
-- credited conversions, revenue and margin. The month is that of the conversion, or of the touch.
{%- set models = attribution_models() %}
with apportioned as (
    select * from {{ ref('int_attribution__apportioned') }}
    where attribution_scope in ('all', 'personalized')
),

conversions as (
    select * from {{ ref('int_conversions__valued') }}
),

orders as (
    select * from {{ ref('int_conversions__orders') }}
),

-- What is left of the revenue after the cost of what was sold; null where that is not known.
margins as (
    select
        conversions.conversion_id,
        cast(conversions.revenue - orders.cost as double) as margin
    from conversions
    inner join orders
        on conversions.order_id = orders.order_id
    where orders.cost is not null
),

credited as (
    select
        apportioned.*,
        margins.margin,
        cast(date_trunc('month', apportioned.converted_at) as date) as converted_month,
        cast(
            date_trunc('month', coalesce(apportioned.touched_at, apportioned.converted_at)) as date
        )
            as touched_month,
        case
            when apportioned.touchpoint_id is null then 'unattributed'
            else coalesce(apportioned.campaign_id, '(none)')
        end as campaign
    from apportioned
    left join margins
        on apportioned.conversion_id = margins.conversion_id
),

final as (
    {%- for basis, month in {'conversion': 'converted_month', 'touch': 'touched_month'}.items() %}
    select
        '{{ basis }}' as date_basis,
        attribution_scope,
        conversion_type,
        {{ month }} as credited_month,
        channel,
        campaign as campaign_id,
        count(*) as credits_count,
        count(margin) as margins_count,
    {%- for model in models %}
    sum(credit_{{ model }}) as conversions_{{ model }},
    sum(credit_{{ model }} * revenue) as revenue_{{ model }},
    sum(credit_{{ model }} * margin) as margin_{{ model }}{{ ',' if not loop.last }}
    
{%- endfor %}
    from credited
    group by attribution_scope, conversion_type, {{ month }}, channel, campaign
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from final
