{#-
  What the times of landed event rows say of their delivery, one row each. An event without received_at is none of it:
    late          received `late_after_hours` or more after it occurred
    out of order  received before a row that stands earlier in the same file
    skewed        occurred more than `clock_skew_tolerance_minutes` after it was received
-#}
{% macro event_timeliness(events) -%}
    select
        {{ events }}.file_seq,
        {{ events }}.row_number,
        coalesce(
            {{ microseconds(events ~ '.received_at') }} - {{ microseconds(events ~ '.occurred_at') }}
            >= cast({{ var('late_after_hours') }} * 3600e6 as bigint),
            false
        ) as is_late,
        coalesce(
            {{ events }}.received_at < max({{ events }}.received_at) over (
                partition by {{ events }}.file_seq
                order by {{ events }}.row_number
                rows between unbounded preceding and 1 preceding
            ),
            false
        ) as is_out_of_order,
        coalesce(
            {{ microseconds(events ~ '.occurred_at') }} - {{ microseconds(events ~ '.received_at') }}
            > cast({{ var('clock_skew_tolerance_minutes') }} * 60e6 as bigint),
            false
        ) as is_skewed
    from {{ events }}
{%- endmacro %}
