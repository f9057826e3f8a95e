-- One row per person with a consent on record x purpose x stretch of time in which one answer holds.
-- Before the first answer the law of the person's jurisdiction holds (var consent_default); the
-- stretches of a purpose leave no gap.
{%- set beginning = "timestamp '0001-01-01'" %}
{%- set end = "timestamp '9999-12-31'" %}
with consents as (
    select * from {{ ref('stg_landing__consents') }}
    where changed_at < {{ as_of() }}
),

identified_consents as (
    {{ identified('consents', ['user_id', 'email', 'anonymous_id'], 'changed_at') }}
),

answers as (
    select
        user_key,
        lower(trim(purpose)) as purpose,
        upper(split_part(trim(jurisdiction), '-', 1)) as jurisdiction,
        is_granted,
        changed_at,
        file_seq,
        row_number
    from identified_consents
    where user_key is not null
),

-- Of answers at one moment, the last loaded holds.
ranked as (
    select
        answers.*,
        row_number() over (
            partition by user_key, purpose, changed_at
            order by file_seq desc, row_number desc
        ) as answer_rank,
        row_number() over (
            partition by user_key
            order by
                jurisdiction is null,
                changed_at desc,
                file_seq desc,
                row_number desc
        ) as said_rank
    from answers
),

-- Where a person's law is said differently, the last word holds.
people as (
    select
        user_key,
        max(case when said_rank = 1 then jurisdiction end) as jurisdiction
    from ranked
    group by user_key
),

purposes as (
    {%- for purpose in consent_purposes() %}
    select '{{ purpose }}' as purpose
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

steps as (
    select
        people.user_key,
        purposes.purpose,
        cast(null as boolean) as is_granted,
        {{ beginning }} as valid_from
    from people
    cross join purposes
    union all
    select
        user_key,
        purpose,
        is_granted,
        changed_at as valid_from
    from ranked
    where answer_rank = 1
),

final as (
    select
        steps.user_key,
        steps.purpose,
        people.jurisdiction,
        coalesce(
            steps.is_granted,
            case
                when people.jurisdiction in ('{{ var("consent_default").opt_in | join("', '") }}')
                    then false
                when people.jurisdiction in ('{{ var("consent_default").opt_out | join("', '") }}')
                    then true
            end
        ) as is_given,
        steps.is_granted is not null as is_answered,
        {%- if var('consent_withdrawal') == 'backward' %}
        -- Whoever withdraws takes back what was granted before.
        coalesce(bool_or(not steps.is_granted) over (
            partition by steps.user_key, steps.purpose
            order by steps.valid_from
            rows between 1 following and unbounded following
        ), false) as is_revoked,
        {%- else %}
        false as is_revoked,
        {%- endif %}
        steps.valid_from,
        lead(steps.valid_from, 1, {{ end }}) over (
            partition by steps.user_key, steps.purpose order by steps.valid_from
        ) as valid_to
    from steps
    inner join people
        on steps.user_key = people.user_key
)

select * from final
