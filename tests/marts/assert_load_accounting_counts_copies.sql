-- Loaded events are the kept ones and their copies: counted by file from where each stands, and by
-- event from how many had its id.
with by_file as (
    select
        sum(rows_loaded) as rows_count,
        sum(duplicate_rows) as copies_count
    from {{ ref('load_accounting') }}
    where dataset in ('{{ event_sources() | join("', '") }}')
),

by_event as (
    select
        sum(1 + duplicates_count) as rows_count,
        sum(duplicates_count) as copies_count
    from {{ ref('int_events__deduplicated') }}
)

select
    by_file.rows_count,
    by_event.rows_count as rows_by_event,
    by_file.copies_count,
    by_event.copies_count as copies_by_event
from by_file
cross join by_event
where
    coalesce(by_file.rows_count, 0) <> coalesce(by_event.rows_count, 0)
    or coalesce(by_file.copies_count, 0) <> coalesce(by_event.copies_count, 0)
