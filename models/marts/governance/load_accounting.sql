-- Grain: one row per landed file.
-- Rows are counted where they are, not taken from the ledger; that they add up to rows_in_file is
-- tested.
{%- set datasets = [
    'orders', 'order_items', 'refunds', 'products', 'contacts', 'profile_attributes',
    'campaigns', 'ad_spend', 'offline_conversions', 'experiment_assignments', 'consents',
    'privacy_requests', 'identity_vetoes', 'identity_matches', 'exchange_rates',
] %}
{%- set event_datasets = event_sources() | join("', '") %}
{%- set exclusion_reasons = ['not_yet', 'no_consent', 'bot', 'internal'] %}
{%- set staged_models = event_sources().values() | list %}
{%- for dataset in datasets %}{% do staged_models.append('stg_landing__' ~ dataset) %}{% endfor %}

with files as (
    select * from {{ ref('stg_landing__files') }}
),

staged as (
    {%- for model in staged_models %}
    select
        file_seq,
        count(*) as rows_count
    from {{ ref(model) }}
    group by file_seq
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

quarantined as (
    select
        file_seq,
        cast(sum(rows_count) as bigint) as rows_count
    from {{ ref('stg_landing__quarantine') }}
    group by file_seq
),

-- Of the rows with one event_id, int_events__deduplicated keeps one; the others are duplicates.
kept_events as (
    select
        file_seq,
        count(*) as rows_count,
        {%- for reason in exclusion_reasons %}
        count(case when exclusion_reason = '{{ reason }}' then 1 end) as {{ reason }}_rows,
        {%- endfor %}
        count(exclusion_reason) as excluded_rows
    from {{ ref('int_events__deduplicated') }}
    group by file_seq
),

timeliness as (
    select * from {{ ref('load_timeliness') }}
),

unknown_currencies as (
    select
        file_seq,
        cast(sum(rows_count) as bigint) as rows_count
    from {{ ref('unknown_currencies') }}
    group by file_seq
),

final as (
    select
        ---------- keys
        files.file_seq,
        ---------- text
        files.dataset,
        files.path,
        files.status,
        files.duplicate_of,
        ---------- numbers
        files.rows_in_file,
        coalesce(staged.rows_count, 0) as rows_loaded,
        case when files.is_released then 0 else files.rows_loaded end as rows_held,
        coalesce(quarantined.rows_count, 0) as rows_quarantined,
        case
            when files.dataset in ('{{ event_datasets }}')
                then coalesce(staged.rows_count, 0) - coalesce(kept_events.rows_count, 0)
            else 0
        end as duplicate_rows,
        coalesce(kept_events.excluded_rows, 0) as excluded_rows,
        {%- for reason in exclusion_reasons %}
        coalesce(kept_events.{{ reason }}_rows, 0) as {{ reason }}_rows,
        {%- endfor %}
        coalesce(timeliness.late_rows, 0) as late_rows,
        coalesce(timeliness.out_of_order_rows, 0) as out_of_order_rows,
        coalesce(timeliness.skewed_rows, 0) as skewed_rows,
        coalesce(unknown_currencies.rows_count, 0) as unknown_currency_rows,
        ---------- times
        files.loaded_at
    from files
    left join staged
        on files.file_seq = staged.file_seq
    left join quarantined
        on files.file_seq = quarantined.file_seq
    left join kept_events
        on files.file_seq = kept_events.file_seq
    left join timeliness
        on files.file_seq = timeliness.file_seq
    left join unknown_currencies
        on files.file_seq = unknown_currencies.file_seq
)

select * from final
