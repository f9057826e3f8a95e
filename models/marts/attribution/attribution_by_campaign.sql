-- One row per attribution model x scope x conversion type x day of the conversion x campaign.
{{ attribution_totals('campaign_id') }}
