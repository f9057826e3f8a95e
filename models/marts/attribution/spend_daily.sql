-- One row per day x channel x campaign of advertising, with what was spent on it.
-- Rows of one day, channel, campaign and content that landed in several files are those of the last.
with landed as (
    select
        ad_spend.*,
        max(file_seq) over (
            partition by spend_date, channel, campaign_id, content_id
        ) as last_file_seq
    from {{ ref('stg_landing__ad_spend') }} as ad_spend
    where cast(spend_date as timestamp) < {{ as_of() }}
),

campaigns as (
    select
        campaign_id,
        max_by(lower(trim(channel)), file_seq * 4294967296 + row_number) as channel
    from {{ ref('stg_landing__campaigns') }}
    where channel is not null
    group by campaign_id
),

-- A row that names no channel has that of its campaign.
valued as (
    select
        landed.spend_date,
        coalesce(lower(trim(landed.channel)), campaigns.channel, 'unclassified') as channel,
        coalesce(landed.campaign_id, '(none)') as campaign_id,
        {{ in_reporting_currency('landed.spend', 'upper(trim(landed.currency))', 'exchange_rates') }}
            as spend,
        landed.impressions,
        landed.clicks
    from landed
    left join campaigns
        on landed.campaign_id = campaigns.campaign_id
    left join {{ ref('int_conversions__exchange_rates') }} as exchange_rates
        on
            upper(trim(landed.currency)) = exchange_rates.currency
            and landed.spend_date = exchange_rates.rate_date
    where landed.file_seq = landed.last_file_seq
),

final as (
    select
        ---------- keys
        spend_date,
        channel,
        campaign_id,
        ---------- numbers
        -- Without an amount or a rate for one part, the whole is not known.
        cast(case when count(*) = count(spend) then sum(spend) end as decimal(18, 4)) as spend,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks
    from valued
    group by spend_date, channel, campaign_id
)

select * from final
