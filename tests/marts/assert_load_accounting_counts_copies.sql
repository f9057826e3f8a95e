-- Copies of events are counted by file, from where each row stands, and by event, from how many
-- rows had its id: both are the same.
with by_file as (
    select coalesce(sum(duplicate_rows), 0) as copies_count
    from {{ ref('load_accounting') }}
),

by_event as (
    select coalesce(sum(duplicates_count), 0) as copies_count
    from {{ ref('int_events__deduplicated') }}
)

select
    by_file.copies_count,
    by_event.copies_count as copies_by_event
from by_file
cross join by_event
where by_file.copies_count <> by_event.copies_count
