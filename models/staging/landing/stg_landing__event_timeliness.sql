-- One row per landed event: whether it came late, out of order, or from a clock that is ahead.
with source as (
    {{ released('events') }}
),

renamed as (
    select
        _file_seq as file_seq,
        _row_number as row_number,
        occurred_at,
        received_at
    from source
),

final as (
    {{ event_timeliness('renamed') }}
)

select * from final
