-- One row per person x period in which anything demographic is known: each attribute as the first
-- source of var demographic_sources tells it that knows it then.
{%- set never = 9000000000000000000 %}
{#- What is told as one is taken from one source; column by type. -#}
{%- set topics = {
    'age': {'age_band': 'varchar', 'birth_month': 'bigint'},
    'gender': {'gender': 'varchar'},
    'income': {'income_band': 'varchar'},
    'household': {'household_size': 'varchar'},
    'place': {'country': 'varchar', 'region': 'varchar', 'city': 'varchar'},
} %}
with profile_attributes as (
    select * from {{ ref('stg_landing__profile_attributes') }}
    where lower(trim(kind)) = 'demographic'
),

contact_attributes as (
    select * from {{ ref('int_features__contact_attributes') }}
),

country_codes as (
    select
        country,
        max(country_code) as country_code
    from {{ ref('stg_landing__places') }}
    group by country
),

-- The CRM is the data set contacts; a source that is not named here tells nothing.
sources as (
    {%- for source in demographic_sources() %}
    select
        '{{ source.name | replace("'", "''") }}' as source_name,
        {{ loop.index }} as source_rank,
        cast({{ 'null' if source.fresh_us is none else source.fresh_us }} as bigint) as fresh_us
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

identified_attributes as (
    {{ identified('profile_attributes', ['user_id', 'email']) }}
),

-- An attribute without a time was always known. Of several values at one moment, the last loaded.
ranked_statements as (
    select
        user_key,
        replace(lower(trim(source)), ' ', '_') as source_name,
        lower(trim(attribute)) as topic,
        nullif(trim(value), '') as stated,
        coalesce({{ microseconds('observed_at') }}, 0) as stated_us,
        row_number() over (
            partition by
                user_key,
                replace(lower(trim(source)), ' ', '_'),
                lower(trim(attribute)),
                observed_at
            order by file_seq desc, row_number desc
        ) as version_rank
    from identified_attributes
    where user_key is not null
),

statements as (
    select
        user_key,
        source_name,
        stated_us,
        max(case when topic = 'age_band' then stated end) as age_band,
        {{ gender_of("max(case when topic = 'gender' then stated end)") }} as gender,
        max(case when topic = 'income_band' then stated end) as income_band,
        max(case when topic = 'household_size' then stated end) as household_size,
        max(case when topic = 'country' then stated end) as country,
        max(case when topic = 'region' then stated end) as region,
        max(case when topic = 'city' then stated end) as city
    from ranked_statements
    where
        version_rank = 1
        and source_name <> 'crm'
    group by user_key, source_name, stated_us
),

records as (
    select
        user_key,
        'crm' as source_name,
        age_band,
        birth_month,
        gender,
        income_band,
        household_size,
        country,
        region,
        city,
        0 as from_us,
        updated_us as told_us
    from contact_attributes
    union all
    select
        statements.user_key,
        statements.source_name,
        statements.age_band,
        cast(null as bigint) as birth_month,
        statements.gender,
        statements.income_band,
        statements.household_size,
        coalesce(country_codes.country_code, statements.country) as country,
        statements.region,
        statements.city,
        -- Known strictly after it was observed.
        statements.stated_us + 1 as from_us,
        nullif(statements.stated_us, 0) as told_us
    from statements
    left join country_codes
        on statements.country = country_codes.country
),

told as (
    {%- for topic, columns in topics.items() %}
    select
        '{{ topic }}' as topic,
        records.user_key,
        records.source_name,
        sources.source_rank,
        sources.fresh_us,
        {%- for other_columns in topics.values() %}
        {%- for column, type in other_columns.items() %}
        cast({{ 'records.' ~ column if column in columns else 'null' }} as {{ type }})
            as {{ column }},
        {%- endfor %}
        {%- endfor %}
        records.from_us,
        records.told_us
    from records
    inner join sources
        on records.source_name = sources.source_name
    where
        coalesce(
            {%- for column in columns %}
            cast(records.{{ column }} as varchar){{ ',' if not loop.last }}
            {%- endfor %}
        ) is not null
        -- How old is what has no time?
        and (records.told_us is not null or sources.fresh_us is null)
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

-- A source's word counts until its next one of the same, or until it is no longer fresh.
dated as (
    select
        *,
        least(
            coalesce(
                lead(from_us) over (partition by user_key, source_name, topic order by from_us),
                {{ never }}
            ),
            coalesce(from_us - 1 + fresh_us, {{ never }})
        ) as until_us
    from told
),

edges as (
    select
        user_key,
        from_us as edge_us
    from dated
    union
    select
        user_key,
        until_us as edge_us
    from dated
    where until_us < {{ never }}
),

periods as (
    select
        user_key,
        edge_us as valid_from_us,
        coalesce(
            lead(edge_us) over (partition by user_key order by edge_us), {{ never }}
        ) as valid_until_us
    from edges
),

ranked_words as (
    select
        dated.*,
        periods.valid_from_us,
        periods.valid_until_us,
        row_number() over (
            partition by periods.user_key, periods.valid_from_us, dated.topic
            order by dated.source_rank
        ) as word_rank
    from periods
    inner join dated
        on
            periods.user_key = dated.user_key
            and periods.valid_from_us >= dated.from_us
            and periods.valid_from_us < dated.until_us
),

chosen as (
    select
        user_key,
        {%- for topic, columns in topics.items() %}
        {%- for column in columns %}
        max({{ column }}) as {{ column }},
        {%- endfor %}
        max(case when topic = '{{ topic }}' then source_name end) as {{ topic }}_source,
        {%- endfor %}
        valid_from_us,
        valid_until_us,
        max(case when topic <> 'place' then told_us end) as updated_us
    from ranked_words
    where word_rank = 1
    group by user_key, valid_from_us, valid_until_us
),

final as (
    select
        ---------- keys
        user_key,
        ---------- text
        age_band,
        gender,
        income_band,
        household_size,
        country,
        region,
        city,
        age_source,
        gender_source,
        income_source,
        household_source,
        ---------- numbers
        birth_month,
        {{ lower_bound('age_band') }} as age_band_from,
        {{ lower_bound('income_band') }} as income_from,
        ---------- times
        valid_from_us,
        valid_until_us,
        updated_us
    from chosen
)

select * from final
