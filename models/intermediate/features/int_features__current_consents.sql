-- One row per person with a consent on record: the latest answer for each purpose.
{%- set purposes = ['analytics', 'personalization', 'advertising', 'psychographic'] %}
with consents as (
    select * from {{ ref('stg_landing__consents') }}
    where changed_at < {{ as_of() }}
),

identified_consents as (
    {{ identified('consents', ['user_id', 'email', 'anonymous_id'], 'changed_at') }}
),

ranked as (
    select
        user_key,
        purpose,
        is_granted,
        row_number() over (
            partition by user_key, purpose
            order by changed_at desc nulls last, file_seq desc, row_number desc
        ) as change_rank
    from identified_consents
    where user_key is not null
),

final as (
    select
        {%- for purpose in purposes %}
        bool_or(case when purpose = '{{ purpose }}' then is_granted end) as consent_{{ purpose }},
        {%- endfor %}
        user_key
    from ranked
    where change_rank = 1
    group by user_key
)

select * from final
