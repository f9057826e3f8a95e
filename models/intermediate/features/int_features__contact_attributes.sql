-- One row per person with a CRM record: what the latest record says, without what names the person.
-- The traits of an identify call are a record too.
with landed as (
    {{ union_all(['stg_landing__contacts', 'stg_segment__contacts']) }}
),

contacts as (
    select * from landed
    where coalesce(coalesce(updated_at, created_at) < {{ as_of() }}, true)
),

identified_contacts as (
    {{ identified('contacts', ['contact_id', 'user_id', 'email', 'phone', 'anonymous_id']) }}
),

-- CRM records have no history: the latest version is taken for every moment.
ranked as (
    select
        *,
        row_number() over (
            partition by user_key
            order by
                coalesce(updated_at, created_at) desc nulls last,
                file_seq desc,
                row_number desc
        ) as version_rank
    from identified_contacts
    where user_key is not null
),

latest as (
    select
        ranked.*,
        places.country_code,
        places.region_code
    from ranked
    left join {{ ref('stg_landing__places') }} as places
        on
            coalesce(ranked.country, '') = places.country
            and coalesce(ranked.region, '') = places.region
    where ranked.version_rank = 1
),

final as (
    select
        ---------- keys
        user_key,
        ---------- text
        nullif(trim(age_band), '') as age_band,
        {{ gender_of('gender') }} as gender,
        nullif(trim(income_band), '') as income_band,
        nullif(trim(household_size), '') as household_size,
        coalesce(country_code, nullif(trim(country), '')) as country,
        coalesce(region_code, nullif(trim(region), '')) as region,
        nullif(trim(city), '') as city,
        nullif(trim(lifecycle_stage), '') as crm_lifecycle_stage,
        ---------- numbers
        -- Months since year 0 of the month of birth: enough for an age as of a moment, and no
        -- birthday.
        cast(extract(year from birth_date) * 12 + extract(month from birth_date) as bigint)
            as birth_month,
        ---------- times
        {{ microseconds('created_at') }} as created_us,
        {{ microseconds('coalesce(updated_at, created_at)') }} as updated_us
    from latest
)

select * from final
