-- One row per attribution model x scope x conversion type x day of the conversion x campaign.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='converted_date',
    meta={'affected': 'int_attribution__affected_days'},
    on_schema_change='fail'
) }}
{{ attribution_totals('campaign_id') }}
