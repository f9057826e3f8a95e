-- One row per event that is to be taken in anew: a copy of it landed, or its person is another.
{%- set events = as_built('int_events__deduplicated') %}
with landed as (
    select event_id
    from {{ ref('stg_landing__events') }}
    where
        file_seq in (
            select changed_files.file_seq
            from {{ ref('int_nights__changed_files') }} as changed_files
        )
),

-- depends_on: {{ ref('int_nights__changed_people') }}
of_changed_people as (
    {%- if events is none %}
    select cast(null as varchar) as event_id where false
    {%- else %}
    select events.event_id
    from {{ events }} as events
    where
        events.user_key in (
            select changed_people.user_key
            from {{ ref('int_nights__changed_people') }} as changed_people
        )
    {%- endif %}
),

final as (
    select event_id from landed
    union
    select event_id from of_changed_people
)

select * from final
