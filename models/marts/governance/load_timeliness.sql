-- Grain: one row per landed file of events, of whatever source.
-- A file's row is made again when the file, its release or a threshold has changed.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='file_seq',
    on_schema_change='append_new_columns',
) }}
{%- set event_datasets = event_sources() | join("', '") %}

with files as (
    select
        file_seq,
        is_released,
        loaded_at,
        cast({{ var('late_after_hours') }} as double) as late_after_hours,
        cast({{ var('clock_skew_tolerance_minutes') }} as double) as clock_skew_tolerance_minutes
    from {{ ref('stg_landing__files') }}
    where dataset in ('{{ event_datasets }}')
),

changed_files as (
    select files.*
    from files
    {%- if is_incremental() %}
    left join {{ this }} as known
        on
            files.file_seq = known.file_seq
            and files.is_released = known.is_released
            and files.loaded_at = known.loaded_at
            and files.late_after_hours = known.late_after_hours
            and files.clock_skew_tolerance_minutes = known.clock_skew_tolerance_minutes
    where known.file_seq is null
    {%- endif %}
),

events as (
    select
        landed.file_seq,
        landed.row_number,
        landed.delivered_at as occurred_at,
        landed.received_at
    from {{ ref('int_events__landed') }} as landed
    inner join changed_files
        on landed.file_seq = changed_files.file_seq
),

timeliness as (
    {{ event_timeliness('events') }}
),

counts as (
    select
        file_seq,
        count(case when is_late then 1 end) as late_rows,
        count(case when is_out_of_order then 1 end) as out_of_order_rows,
        count(case when is_skewed then 1 end) as skewed_rows
    from timeliness
    group by file_seq
),

final as (
    select
        changed_files.file_seq,
        coalesce(counts.late_rows, 0) as late_rows,
        coalesce(counts.out_of_order_rows, 0) as out_of_order_rows,
        coalesce(counts.skewed_rows, 0) as skewed_rows,
        changed_files.late_after_hours,
        changed_files.clock_skew_tolerance_minutes,
        changed_files.is_released,
        changed_files.loaded_at
    from changed_files
    left join counts
        on changed_files.file_seq = counts.file_seq
)

select * from final
