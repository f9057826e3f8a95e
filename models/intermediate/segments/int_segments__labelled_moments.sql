-- One row per moment at which a person was looked at: the label of each segment family there.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'feature_at', 'affected': 'int_nights__affected_features'},
    on_schema_change='fail'
) }}
{{ label_moments("moment_type is distinct from 'now'") }}
