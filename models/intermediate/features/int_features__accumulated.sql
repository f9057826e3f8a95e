-- One row per moment at which a person is looked at: what had added up strictly before it.
-- Moments: each touchpoint, each conversion, just after each order, where the clock alone changes
-- a label, the first of each month, and now.
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='user_key',
    meta={'moment': 'looked_at', 'affected': 'int_nights__affected_features'},
    on_schema_change='fail'
) }}
{%- set day = 86400000000 %}
{%- set windows = {'7': 7 * day, '30': 30 * day, '90': 90 * day, '365': 365 * day} %}
{#- Of what is carried on, sessions, engagement and signals are counted in a sliding window. -#}
{%- set carried_window = windows['30'] %}
{%- set boundaries = segment_boundaries() %}
{%- set keys = 'int_nights__affected_features' %}
{#- What is carried on from a base: column of this model by its type. -#}
{%- set carried = {
    'sessions_count': 'bigint', 'engagement_ms': 'bigint', 'offers_redeemed_count': 'bigint',
    'signals_count': 'bigint', 'last_signal_us': 'bigint', 'last_cart_us': 'bigint',
    'last_checkout_us': 'bigint', 'last_session_us': 'bigint', 'signed_up_us': 'bigint',
    'visits_desktop_count': 'bigint', 'visits_mobile_count': 'bigint', 'visits_tablet_count': 'bigint',
    'visits_other_count': 'bigint', 'channel_key': 'varchar',
    'device_type': 'varchar', 'country': 'varchar', 'region': 'varchar', 'city': 'varchar',
} %}
with touchpoints as (
    select touchpoints.*
    from {{ ref('int_touchpoints__collapsed') }} as touchpoints
    {{ join_affected('touchpoints', 'touchpoints.touched_at', keys=keys) }}
    where touchpoints.user_key is not null
),

conversions as (
    select conversions.*
    from {{ ref('int_conversions__valued') }} as conversions
    {{ join_affected('conversions', 'conversions.converted_at', keys=keys) }}
    where conversions.user_key is not null
),

identifiers as (
    select * from {{ ref('int_identity__identifiers') }}
    where {{ only_affected(keys=keys) }}
),

people as (
    select
        identifiers.user_key,
        {{ microseconds('min(identifiers.first_seen_at)') }} as first_seen_us,
        {{ microseconds(as_of()) }} as as_of_us,
        {%- if adds_to_built() %}
        {{ microseconds('min(affected.from_at)') }} as from_us
        {%- else %}
        0 as from_us
        {%- endif %}
    from identifiers
    {%- if adds_to_built() %}
    inner join {{ ref(keys) }} as affected
        on identifiers.user_key = affected.user_key
    {%- endif %}
    group by identifiers.user_key
),

-- What had added up at a moment before the sliding windows of the first new row is carried on from
-- there; orders are few and are added up from the first.
{%- if adds_to_built() %}
base_moments as (
    select
        built.user_key,
        max(built.at_us) as at_us
    from {{ this }} as built
    inner join people
        on
            built.user_key = people.user_key
            and built.at_us <= people.from_us - {{ carried_window }}
    group by built.user_key
),

bases as (
    select
        {%- for column in carried %}
        max(built.{{ column }}) as {{ column }},
        {%- endfor %}
        built.user_key,
        built.at_us
    from {{ this }} as built
    inner join base_moments
        on
            built.user_key = base_moments.user_key
            and built.at_us = base_moments.at_us
    group by built.user_key, built.at_us
),
{%- else %}
bases as (
    select
        {%- for column, type in carried.items() %}
        cast(null as {{ type }}) as {{ column }},
        {%- endfor %}
        user_key,
        0 as at_us
    from people
    where 1 = 0
),
{%- endif %}

sessions as (
    select
        sessions.*,
        {{ microseconds('sessions.started_at') }} as started_us,
        {{ microseconds('sessions.started_at') }} >= coalesce(bases.at_us, 0) as is_counted
    from {{ ref('int_sessions__sessionized') }} as sessions
    inner join people
        on sessions.user_key = people.user_key
    left join bases
        on sessions.user_key = bases.user_key
    where {{ microseconds('sessions.ended_at') }} >= coalesce(bases.at_us, 0)
),

-- Visits by channel before the base: the leader alone is carried, its followers are counted.
channel_bases as (
    select
        sessions.user_key,
        sessions.channel,
        count(*) as visits_count
    from {{ ref('int_sessions__sessionized') }} as sessions
    inner join bases
        on
            sessions.user_key = bases.user_key
            and {{ microseconds('sessions.started_at') }} < bases.at_us
    group by sessions.user_key, sessions.channel
),

started_sessions as (
    select
        sessions.user_key,
        sessions.started_us,
        {{ leader_key(
            'coalesce(channel_bases.visits_count, 0) + row_number() over (
                partition by sessions.user_key, sessions.channel
                order by sessions.started_us, sessions.session_id
            )', 'sessions.started_us', 'sessions.channel'
        ) }} as channel_key
    from sessions
    left join channel_bases
        on
            sessions.user_key = channel_bases.user_key
            and sessions.channel = channel_bases.channel
    where sessions.is_counted
),

events as (
    select events.*
    from {{ ref('int_events__deduplicated') }} as events
    inner join people
        on events.user_key = people.user_key
    left join bases
        on events.user_key = bases.user_key
    where
        events.exclusion_reason is null
        and {{ microseconds('events.occurred_at') }} >= coalesce(bases.at_us, 0)
),

-- Few: from the first.
statements as (
    select * from {{ ref('int_features__statements') }}
    where {{ only_affected(keys=keys) }}
),

refunds as (
    select * from {{ ref('stg_landing__refunds') }}
),

-- An order's status has no history: one that was cancelled counts at no moment.
orders as (
    select
        *,
        {{ microseconds('ordered_at') }} as at_us,
        {{ leader_key(
            'row_number() over (partition by user_key, top_category order by ordered_at, order_id)',
            microseconds('ordered_at'), 'top_category'
        ) }} as category_key,
        lag({{ microseconds('ordered_at') }}) over (
            partition by user_key order by ordered_at, order_id
        ) as previous_us,
        lead({{ microseconds('ordered_at') }}) over (
            partition by user_key order by ordered_at, order_id
        ) as next_us
    from {{ ref('int_conversions__orders') }}
    where
        {{ only_affected(keys=keys) }}
        and not is_cancelled
        and exclusion_reason is null
        and user_key is not null
),

-- What an order lost to refunds is subtracted when each refund was made, in proportion to the
-- refunds' amounts: the running total is rounded, so that the parts add up to the whole.
latest_refunds as (
    select
        *,
        row_number() over (
            partition by refund_id order by file_seq desc, row_number desc
        ) as version_rank
    from refunds
    where refunded_at < {{ as_of() }}
),

accumulated_refunds as (
    select
        orders.user_key,
        orders.order_id,
        latest_refunds.refund_id,
        latest_refunds.refunded_at,
        orders.refunded_amount as refunded_in_all,
        greatest({{ microseconds('latest_refunds.refunded_at') }}, orders.at_us) as at_us,
        cast(sum(coalesce(latest_refunds.amount, 0)) over (
            partition by orders.order_id
            order by latest_refunds.refunded_at, latest_refunds.refund_id
            rows between unbounded preceding and current row
        ) as double) as amount_so_far,
        cast(sum(coalesce(latest_refunds.amount, 0)) over (
            partition by orders.order_id
        ) as double) as amount_in_all
    from orders
    inner join latest_refunds
        on orders.order_id = latest_refunds.order_id
    where
        latest_refunds.version_rank = 1
        and orders.refunded_amount <> 0
),

rounded_refunds as (
    select
        user_key,
        order_id,
        refund_id,
        refunded_at,
        at_us,
        cast(round(
            cast(refunded_in_all as double)
            * coalesce(amount_so_far / nullif(amount_in_all, 0), 1),
            4
        ) as decimal(18, 4)) as refunded_so_far
    from accumulated_refunds
),

refund_steps as (
    select
        user_key,
        at_us,
        refunded_so_far - coalesce(
            lag(refunded_so_far) over (partition by order_id order by refunded_at, refund_id), 0
        ) as refunded
    from rounded_refunds
),

-- Where and with what a person was seen; only the sightings that differ from the one before.
described_sightings as (
    select
        user_key,
        device_type,
        case when coalesce(country, region, city) is not null then coalesce(country, '') end
            as country,
        case when coalesce(country, region, city) is not null then coalesce(region, '') end
            as region,
        case when coalesce(country, region, city) is not null then coalesce(city, '') end
            as city,
        {{ microseconds('occurred_at') }} as at_us,
        row_number() over (partition by user_key order by occurred_at, event_id) as sighting_number,
        lag(
            coalesce(device_type, '') || '|' || coalesce(country, '')
            || '|' || coalesce(region, '') || '|' || coalesce(city, '')
        ) over (partition by user_key order by occurred_at, event_id) as previous_description
    from events
    where coalesce(device_type, country, region, city) is not null
),

new_sightings as (
    select * from described_sightings
    where
        previous_description is null
        or previous_description
        <> coalesce(device_type, '') || '|' || coalesce(country, '')
        || '|' || coalesce(region, '') || '|' || coalesce(city, '')
),

boundary_moments as (
    select
        cast(null as varchar) as user_key,
        cast(null as bigint) as at_us
    from people
    where 1 = 0
    {%- for boundary in boundaries %}
    union all
    {%- if boundary.since == 'last_order_at' %}
    select
        orders.user_key,
        orders.at_us + {{ boundary.days * day }} as at_us
    from orders
    inner join people
        on orders.user_key = people.user_key
    where
        orders.at_us + {{ boundary.days * day }} < people.as_of_us
        and orders.at_us + {{ boundary.days * day }} >= people.from_us
        and coalesce(orders.next_us >= orders.at_us + {{ boundary.days * day }}, true)
    {%- elif boundary.since == 'first_seen_at' %}
    select
        people.user_key,
        people.first_seen_us + {{ boundary.days * day }} as at_us
    from people
    where
        people.first_seen_us + {{ boundary.days * day }} < people.as_of_us
        and people.first_seen_us + {{ boundary.days * day }} >= people.from_us
    {%- else %}
    {{ exceptions.raise_compiler_error('a segment boundary is since last_order_at or first_seen_at, not ' ~ boundary.since) }}
    {%- endif %}
    {%- endfor %}
),

-- The first of each month since the person was first seen: what models learn from.
people_months as (
    select
        *,
        {{ month_number(moment_of('first_seen_us')) }} as first_month,
        {{ month_number(moment_of('as_of_us')) }} as last_month
    from people
),

snapshot_months as (
    select
        user_key,
        as_of_us,
        from_us,
        {{ explode_range('first_month + 1', 'last_month') }} as month_number
    from people_months
),

snapshot_moments as (
    select
        user_key,
        {{ microseconds(month_begin('month_number')) }} as at_us
    from snapshot_months
    where
        {{ microseconds(month_begin('month_number')) }} < as_of_us
        and {{ microseconds(month_begin('month_number')) }} >= from_us
),

moments as (
    select
        'touch' as moment_type,
        touchpoint_id as moment_id,
        user_key,
        {{ microseconds('touched_at') }} as at_us
    from touchpoints
    union all
    select
        'conversion' as moment_type,
        conversion_id as moment_id,
        user_key,
        {{ microseconds('converted_at') }} as at_us
    from conversions
    union all
    select
        'order' as moment_type,
        orders.order_id as moment_id,
        orders.user_key,
        orders.at_us + 1 as at_us
    from orders
    inner join people
        on orders.user_key = people.user_key
    where orders.at_us + 1 >= people.from_us
    union all
    select
        'boundary' as moment_type,
        {{ surrogate_key(['user_key', 'at_us']) }} as moment_id,
        user_key,
        at_us
    from boundary_moments
    group by user_key, at_us
    union all
    select
        'snapshot' as moment_type,
        {{ surrogate_key(['user_key', 'at_us']) }} as moment_id,
        user_key,
        at_us
    from snapshot_moments
    union all
    select
        'now' as moment_type,
        user_key as moment_id,
        user_key,
        as_of_us as at_us
    from people
),

-- Every row either is a moment or moves a feature. At one instant the moments come first, so that
-- "the rows before" are those of strictly earlier times.
timeline as (
    {%- set parts = [
        {'relation': 'moments', 'values': {'moment_type': 'moment_type', 'moment_id': 'moment_id'}},
        {'relation': 'orders', 'values': {
            'order_id': 'order_id', 'revenue': 'gross_revenue', 'discount': 'discount', 'gross_revenue': 'gross_revenue',
            'order_us': 'at_us', 'previous_us': 'previous_us', 'category_key': 'category_key',
            'coupons': 'case when coupon_code is not null then 1 end'}},
        {'relation': 'refund_steps', 'values': {'revenue': '-refunded'}},
        {'relation': 'bases', 'at': 'at_us - 1', 'values': {
            'sessions': 'sessions_count', 'engagement_ms': 'engagement_ms', 'offers': 'offers_redeemed_count',
            'signals': 'signals_count', 'signal_us': 'last_signal_us', 'cart_us': 'last_cart_us',
            'checkout_us': 'last_checkout_us', 'session_us': 'last_session_us', 'signed_up_us': 'signed_up_us',
            'visits_desktop': 'visits_desktop_count', 'visits_mobile': 'visits_mobile_count',
            'visits_tablet': 'visits_tablet_count', 'visits_other': 'visits_other_count', 'channel_key': 'channel_key',
            'device_type': 'device_type', 'country': 'country', 'region': 'region', 'city': 'city'}},
        {'relation': 'started_sessions', 'at': 'started_us', 'values': {
            'sessions': 1, 'session_us': 'started_us', 'channel_key': 'channel_key'}},
        {'relation': 'sessions', 'at': microseconds('ended_at'), 'values': {
            'engagement_ms': 'cast(round(engagement_seconds * 1000e0) as bigint)',
            'visits_desktop': "case when device_type = 'desktop' then 1 end",
            'visits_mobile': "case when device_type = 'mobile' then 1 end",
            'visits_tablet': "case when device_type = 'tablet' then 1 end",
            'visits_other': "case when device_type not in ('desktop', 'mobile', 'tablet') then 1 end"},
            'where': 'engagement_seconds > 0 or device_type is not null'},
        {'relation': 'events', 'at': microseconds('occurred_at'), 'values': {'offers': 1},
            'where': "event_name = 'offer_redeemed'"},
        {'relation': 'events', 'at': microseconds('occurred_at'), 'values': {
            'signals': 1, 'signal_us': microseconds('occurred_at'),
            'cart_us': "case when event_name = 'added_to_cart' then " ~ microseconds('occurred_at') ~ ' end',
            'checkout_us': "case when event_name = 'checkout_started' then " ~ microseconds('occurred_at') ~ ' end'},
            'where': "event_name in ('" ~ intent_events() | join("', '") ~ "')"},
        {'relation': 'events', 'at': microseconds('occurred_at'), 'values': {'signed_up_us': microseconds('occurred_at')},
            'where': "event_name = 'signed_up'"},
        {'relation': 'statements', 'at': 'stated_us', 'values': {
            'interest': 'interest', 'value_theme': 'value_theme', 'urbanity': 'urbanity',
            'psychographic_consent': 'psychographic_consent'}},
        {'relation': 'new_sightings', 'values': {
            'sighting_number': 'sighting_number', 'device_type': 'device_type',
            'country': 'country', 'region': 'region', 'city': 'city'}},
    ] %}
    {%- set columns = {
        'moment_type': 'varchar', 'moment_id': 'varchar', 'order_id': 'varchar', 'device_type': 'varchar', 'country': 'varchar', 'region': 'varchar', 'city': 'varchar',
        'revenue': 'decimal(18, 4)', 'gross_revenue': 'decimal(18, 4)', 'discount': 'decimal(18, 4)',
        'order_us': 'bigint', 'previous_us': 'bigint', 'sessions': 'bigint', 'engagement_ms': 'bigint',
        'offers': 'bigint', 'sighting_number': 'bigint',
        'coupons': 'bigint', 'signals': 'bigint', 'signal_us': 'bigint', 'cart_us': 'bigint', 'checkout_us': 'bigint',
        'session_us': 'bigint', 'signed_up_us': 'bigint', 'visits_desktop': 'bigint', 'visits_mobile': 'bigint',
        'visits_tablet': 'bigint', 'visits_other': 'bigint', 'category_key': 'varchar', 'channel_key': 'varchar',
        'interest': 'varchar', 'value_theme': 'varchar', 'urbanity': 'varchar', 'psychographic_consent': 'boolean',
    } %}
    {%- for part in parts %}
    select
        user_key,
        cast({{ part.at or 'at_us' }} as bigint) as at_us,
        {%- for column, type in columns.items() %}
        cast({{ part['values'].get(column, 'null') }} as {{ type }}) as {{ column }},
        {%- endfor %}
        {{ 0 if part.relation == 'moments' else 1 }} as is_movement
    from {{ part.relation }}
    {%- if part.where %}
    where {{ part.where }}
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- A sliding count is the count before minus the count up to the window's far end, that end out.
accumulated as (
    select
        user_key,
        moment_type,
        moment_id,
        at_us,
        max(order_us) over before as last_order_us,
        max(previous_us) over before as previous_order_us,
        count(order_id) over before as orders_count,
        count(order_id) over until_90 as orders_until_90,
        count(order_id) over until_365 as orders_until_365,
        sum(revenue) over before as revenue,
        sum(revenue) over until_365 as revenue_until_365,
        sum(gross_revenue) over before as gross_revenue,
        sum(discount) over before as discount,
        cast(coalesce(sum(sessions) over before, 0) as bigint) as sessions_count,
        cast(coalesce(sum(sessions) over until_30, 0) as bigint) as sessions_until_30,
        sum(engagement_ms) over before as engagement_ms,
        sum(engagement_ms) over until_30 as engagement_ms_until_30,
        cast(coalesce(sum(offers) over before, 0) as bigint) as offers_redeemed_count,
        cast(coalesce(sum(coupons) over before, 0) as bigint) as orders_with_coupon_count,
        cast(coalesce(sum(signals) over before, 0) as bigint) as signals_count,
        cast(coalesce(sum(signals) over until_7, 0) as bigint) as signals_until_7,
        {%- for kind in ['desktop', 'mobile', 'tablet', 'other'] %}
        cast(coalesce(sum(visits_{{ kind }}) over before, 0) as bigint) as visits_{{ kind }}_count,
        {%- endfor %}
        max(signal_us) over before as last_signal_us,
        max(cart_us) over before as last_cart_us,
        max(checkout_us) over before as last_checkout_us,
        max(session_us) over before as last_session_us,
        min(signed_up_us) over before as signed_up_us,
        max(category_key) over before as category_key,
        max(channel_key) over before as channel_key,
        {{ last_known('interest') }} over before as interest,
        {{ last_known('value_theme') }} over before as value_theme,
        {{ last_known('urbanity') }} over before as urbanity,
        {{ last_known('psychographic_consent') }} over before as psychographic_consent,
        {{ last_known('device_type') }} over before as device_type,
        {{ last_known('country') }} over before as country,
        {{ last_known('region') }} over before as region,
        {{ last_known('city') }} over before as city
    from timeline
    window
        {%- for days, width in windows.items() %}
        until_{{ days }} as (
            partition by user_key
            order by at_us
            range between unbounded preceding and {{ width }} preceding
        ),
        {%- endfor %}
        before as (
            partition by user_key
            order by at_us, is_movement, sighting_number nulls last
            rows between unbounded preceding and 1 preceding
        )
),

-- Now has no time of its own: it is the night's, and the row outlives the night.
final as (
    select
        accumulated.* exclude (at_us),
        case when accumulated.moment_type <> 'now' then accumulated.at_us end as at_us,
        case
            when
                accumulated.moment_type = 'now' or people.first_seen_us < accumulated.at_us
                then people.first_seen_us
        end as first_seen_us,
        case when accumulated.moment_type <> 'now' then {{ moment_of('accumulated.at_us') }} end
            as looked_at
    from accumulated
    left join people
        on accumulated.user_key = people.user_key
    where accumulated.moment_id is not null
)

select * from final
