-- One row per touchpoint. One contact is one touch: touches of a person with the same campaign
-- (else channel) and content,
-- each within 30 minutes of the one before, become the strongest of them at the earliest of their
-- times.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'touched_at'},
    on_schema_change='fail'
) }}
{%- set window_microseconds = var('touch_collapse_minutes') * 60 * 1000000 %}
{%- set first_known_columns = [
    'template_id', 'variant_id', 'experiment_id', 'device_type', 'country', 'region', 'city'
] %}
{%- set contact = 'user_key, is_eligible, contact_key, content_key' %}
with candidates as (
    select
        candidates.*,
        coalesce('campaign|' || campaign_id, 'channel|' || channel) as contact_key,
        {{ microseconds('touched_at') }} as touched_microseconds,
        {{ touch_strength('touch_type') }} as strength
    from {{ ref('int_touchpoints__candidates') }} as candidates
    {{ join_affected('candidates', 'candidates.touched_at') }}
),

-- What content the touches of an instant name: where they name several, the last in the alphabet.
contents as (
    select
        user_key,
        is_eligible,
        contact_key,
        touched_microseconds,
        max(content_id) as content_id
    from candidates
    group by user_key, is_eligible, contact_key, touched_microseconds
),

recent_contents as (
    select
        contents.*,
        last_value(content_id ignore nulls) over (
            partition by user_key, is_eligible, contact_key
            order by touched_microseconds
            range between {{ window_microseconds }} preceding and current row
        ) as recent_content_id
    from contents
),

-- A session that a message brought in rarely names its content: it takes that of the touch before.
with_content as (
    select
        candidates.*,
        coalesce(candidates.content_id, recent_contents.recent_content_id, '') as content_key
    from candidates
    inner join recent_contents
        on
            candidates.user_key = recent_contents.user_key
            and candidates.is_eligible = recent_contents.is_eligible
            and candidates.contact_key = recent_contents.contact_key
            and candidates.touched_microseconds = recent_contents.touched_microseconds
),

with_gaps as (
    select
        with_content.*,
        lag(touched_microseconds) over (
            partition by {{ contact }}
            order by touched_microseconds, candidate_id
        ) as previous_microseconds
    from with_content
),

with_contacts as (
    select
        with_gaps.*,
        sum(
            case
                when
                    touched_microseconds - previous_microseconds <= {{ window_microseconds }}
                    then 0 else
                    1
            end
        ) over (
            partition by {{ contact }}
            order by touched_microseconds, candidate_id
            rows between unbounded preceding and current row
        ) as contact_number
    from with_gaps
),

-- Order of say within a contact: the strongest first, then the earliest.
ranked as (
    select
        with_contacts.*,
        row_number() over (
            partition by {{ contact }}, contact_number
            order by strength desc, touched_microseconds asc, candidate_id asc
        ) as say_number,
        row_number() over (
            partition by {{ contact }}, contact_number
            order by touched_microseconds, candidate_id
        ) as time_number
    from with_contacts
),

grouped as (
    select
        user_key,
        is_eligible,
        max(case when time_number = 1 then candidate_id end) as first_candidate_id,
        min_by(session_id, time_number) filter (where session_id is not null) as session_id,
        max(case when say_number = 1 then touch_type end) as touch_type,
        max(case when say_number = 1 then channel end) as channel,
        max(campaign_id) as campaign_id,
        max(content_key) as content_key,
        min_by(tactic, say_number) filter (where tactic <> 'none') as tactic,
        {%- for column in first_known_columns %}
        min_by({{ column }}, say_number) filter (where {{ column }} is not null) as {{ column }},
        {%- endfor %}
        max(case when say_number = 1 then base_weight end) as base_weight,
        max(engagement_seconds) as engagement_seconds,
        count(*) as collapsed_count,
        bool_or(is_personalized) as is_personalized,
        bool_or(say_number = 1 and is_paid) as is_paid,
        bool_or(say_number = 1 and is_direct) as is_direct,
        min(touched_at) as touched_at,
        max(eligible_until) as eligible_until
    from ranked
    group by {{ contact }}, contact_number
),

final as (
    select
        ---------- keys
        {{ surrogate_key(['first_candidate_id']) }} as touchpoint_id,
        user_key,
        session_id,
        campaign_id,
        nullif(content_key, '') as content_id,
        template_id,
        variant_id,
        experiment_id,
        ---------- text
        touch_type,
        channel,
        coalesce(tactic, 'none') as tactic,
        device_type,
        country,
        region,
        city,
        ---------- numbers
        base_weight,
        engagement_seconds,
        collapsed_count,
        cast(null as decimal(18, 4)) as cost,
        ---------- booleans
        is_personalized,
        is_paid,
        is_direct,
        is_eligible,
        ---------- times
        touched_at,
        eligible_until
    from grouped
)

select * from final
