-- One row per event that is to be taken in anew: a copy of it landed, or its person is another.
-- With the person it belonged to until now, and when it had occurred.
{%- set events = as_built('int_events__deduplicated') %}
with landed as (
    select event_id
    from {{ ref('int_events__landed') }}
    where
        file_seq in (
            select changed_files.file_seq
            from {{ ref('int_nights__changed_files') }} as changed_files
        )
),

-- depends_on: {{ ref('int_nights__changed_people') }}
built as (
    {%- if events is none %}
    select
        cast(null as varchar) as event_id,
        cast(null as varchar) as user_key,
        cast(null as timestamp) as occurred_at
    where false
    {%- else %}
    select
        events.event_id,
        events.user_key,
        events.occurred_at
    from {{ events }} as events
    where
        events.user_key in (
            select changed_people.user_key
            from {{ ref('int_nights__changed_people') }} as changed_people
        )
        or events.event_id in (select landed.event_id from landed)
    {%- endif %}
),

changed as (
    select event_id from landed
    union
    select event_id from built
),

final as (
    select
        changed.event_id,
        built.user_key as built_user_key,
        built.occurred_at as built_occurred_at
    from changed
    left join built
        on changed.event_id = built.event_id
)

select * from final
