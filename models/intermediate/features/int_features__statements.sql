-- One row per person x moment of what they stated, or others of them: attributes and the consent to
-- use them; of several values at one moment, the last loaded.
{%- set attributes = {'interest': 'interest', 'value_theme': 'values', 'urbanity': 'urbanity'} %}
with profile_attributes as (
    select * from {{ ref('stg_landing__profile_attributes') }}
),

consent_periods as (
    select * from {{ ref('int_consents__periods') }}
    where purpose = 'psychographic'
),

identified_attributes as (
    {{ identified('profile_attributes', ['user_id', 'email']) }}
),

-- An attribute without a time was always known.
statements as (
    select
        user_key,
        lower(trim(attribute)) as topic,
        nullif(trim(value), '') as stated,
        cast(null as boolean) as is_granted,
        coalesce({{ microseconds('observed_at') }}, 0) as stated_us,
        file_seq,
        row_number,
        cast(null as timestamp) as valid_from
    from identified_attributes
    union all
    select
        user_key,
        'psychographic consent' as topic,
        cast(null as varchar) as stated,
        {{ consent_given('cast(null as boolean)', 'consent_periods') }} as is_granted,
        greatest({{ microseconds('valid_from') }}, 0) as stated_us,
        cast(0 as bigint) as file_seq,
        cast(0 as bigint) as row_number,
        valid_from
    from consent_periods
),

ranked as (
    select
        *,
        row_number() over (
            partition by user_key, topic, stated_us
            order by file_seq desc, row_number desc, valid_from desc nulls last
        ) as version_rank
    from statements
    where user_key is not null
),

final as (
    select
        ---------- keys
        user_key,
        ---------- text
        {%- for column, attribute in attributes.items() %}
        max(case when topic = '{{ attribute }}' then stated end) as {{ column }},
        {%- endfor %}
        ---------- booleans
        bool_or(case when topic = 'psychographic consent' then is_granted end)
            as psychographic_consent,
        ---------- times
        stated_us
    from ranked
    where
        version_rank = 1
        and topic in ('psychographic consent', 'interest', 'values', 'urbanity')
    group by user_key, stated_us
)

select * from final
