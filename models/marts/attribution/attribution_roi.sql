-- One row per attribution model x scope x conversion type x month x dimension x channel x campaign x
-- date basis: what was credited, what was spent, and what came of it. Spend without credit and credit
-- without spend both stay; spend that nobody told of is null, never 0.
{%- set models = attribution_models() %}
with monthly as (
    select * from {{ ref('int_attribution__monthly') }}
),

spend_of_months as (
    select
        cast(date_trunc('month', spend_date) as date) as credited_month,
        channel,
        campaign_id,
        case when count(*) = count(spend) then cast(sum(spend) as double) end as spend
    from {{ ref('spend_daily') }}
    group by cast(date_trunc('month', spend_date) as date), channel, campaign_id
),

-- Where spend is told by channel only, its campaigns cannot be judged one by one.
spend_of_channels as (
    select
        credited_month,
        channel,
        case when count(*) = count(spend) then sum(spend) end as spend,
        max(case when campaign_id <> '(none)' then 1 else 0 end) = 0 as is_by_channel_only
    from spend_of_months
    group by credited_month, channel
),

by_campaign as (
    select
        monthly.*,
        'campaign' as dimension,
        case
            when spend_of_channels.is_by_channel_only then '(all)'
            else monthly.campaign_id
        end as spend_campaign_id
    from monthly
    left join spend_of_channels
        on
            monthly.credited_month = spend_of_channels.credited_month
            and monthly.channel = spend_of_channels.channel
),

dimensioned as (
    select * from by_campaign
    union all
    select
        monthly.*,
        'channel' as dimension,
        cast(null as varchar) as spend_campaign_id
    from monthly
),

summed as (
    select
        date_basis,
        attribution_scope,
        conversion_type,
        credited_month,
        dimension,
        channel,
        spend_campaign_id as campaign_id,
        sum(credits_count) = sum(margins_count) as is_margin_known,
    {%- for model in models %}
    sum(conversions_{{ model }}) as conversions_{{ model }},
    sum(revenue_{{ model }}) as revenue_{{ model }},
    sum(margin_{{ model }}) as margin_{{ model }}{{ ',' if not loop.last }}
    
{%- endfor %}
    from dimensioned
    group by
        date_basis,
        attribution_scope,
        conversion_type,
        credited_month,
        dimension,
        channel,
        spend_campaign_id
),

credited as (
    {%- for model in models %}
    select
        '{{ model }}' as attribution_model,
        date_basis,
        attribution_scope,
        conversion_type,
        credited_month,
        dimension,
        channel,
        campaign_id,
        conversions_{{ model }} as conversions,
        revenue_{{ model }} as revenue,
        case when is_margin_known then margin_{{ model }} end as margin
    from summed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

spent as (
    select
        'channel' as dimension,
        credited_month,
        channel,
        cast(null as varchar) as campaign_id,
        spend
    from spend_of_channels
    union all
    select
        'campaign' as dimension,
        spend_of_months.credited_month,
        spend_of_months.channel,
        case
            when spend_of_channels.is_by_channel_only then '(all)'
            else spend_of_months.campaign_id
        end as campaign_id,
        spend_of_months.spend
    from spend_of_months
    inner join spend_of_channels
        on
            spend_of_months.credited_month = spend_of_channels.credited_month
            and spend_of_months.channel = spend_of_channels.channel
),

-- Every spend is held against every model, also where the model credits it with nothing.
views as (
    select distinct
        attribution_model,
        date_basis,
        attribution_scope,
        conversion_type
    from credited
),

spent_of_views as (
    select
        views.*,
        spent.*
    from views
    cross join spent
),

joined as (
    select
        coalesce(credited.attribution_model, spent_of_views.attribution_model)
            as attribution_model,
        coalesce(credited.attribution_scope, spent_of_views.attribution_scope)
            as attribution_scope,
        coalesce(credited.conversion_type, spent_of_views.conversion_type) as conversion_type,
        coalesce(credited.credited_month, spent_of_views.credited_month) as credited_month,
        coalesce(credited.dimension, spent_of_views.dimension) as dimension,
        coalesce(credited.channel, spent_of_views.channel) as channel,
        coalesce(credited.campaign_id, spent_of_views.campaign_id) as campaign_id,
        coalesce(credited.date_basis, spent_of_views.date_basis) as date_basis,
        coalesce(credited.conversions, 0e0) as conversions,
        coalesce(credited.revenue, 0e0) as revenue,
        case when credited.conversions is null then 0e0 else credited.margin end as margin,
        spent_of_views.spend
    from credited
    full outer join spent_of_views
        on
            credited.attribution_model = spent_of_views.attribution_model
            and credited.attribution_scope = spent_of_views.attribution_scope
            and credited.conversion_type = spent_of_views.conversion_type
            and credited.credited_month = spent_of_views.credited_month
            and credited.dimension = spent_of_views.dimension
            and credited.channel = spent_of_views.channel
            and coalesce(credited.campaign_id, '') = coalesce(spent_of_views.campaign_id, '')
            and credited.date_basis = spent_of_views.date_basis
),

final as (
    select
        ---------- keys
        attribution_model,
        attribution_scope,
        conversion_type,
        credited_month,
        dimension,
        channel,
        campaign_id,
        date_basis,
        ---------- numbers
        conversions,
        revenue,
        margin,
        cast(spend as decimal(18, 4)) as spend,
        spend / nullif(conversions, 0e0) as cpa,
        revenue / nullif(spend, 0e0) as roas,
        (coalesce(margin, revenue) - spend) / nullif(spend, 0e0) as roi,
        ---------- booleans
        margin is not null as is_margin_known
    from joined
)

select * from final
