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
{#- What a moment looks up of what adds up: all before it, or up to a window's far end. -#}
{%- set lookups = {
    'orders': {'kind': 'order_totals', 'frame': 'before'},
    'orders_until_90': {'kind': 'order_totals', 'frame': 'until_90'},
    'orders_until_365': {'kind': 'order_totals', 'frame': 'until_365'},
    'sessions': {'kind': 'session_totals', 'frame': 'before'},
    'sessions_until_30': {'kind': 'session_totals', 'frame': 'until_30'},
    'actions': {'kind': 'action_totals', 'frame': 'before'},
    'actions_until_7': {'kind': 'action_totals', 'frame': 'until_7'},
    'places': {'kind': 'places', 'frame': 'before'},
    'stated': {'kind': 'stated', 'frame': 'before'},
} %}
{%- set kinds = lookups.values() | map(attribute='kind') | unique | list %}
{%- set visit_kinds = ['desktop', 'mobile', 'tablet', 'other'] %}
{%- set signals = "('" ~ intent_events() | join("', '") ~ "')" %}
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

-- A number stands for the person while things are added up: windows and joins by a key of 32
-- characters cost twice as much.
people as (
    select
        identifiers.user_key,
        row_number() over (order by identifiers.user_key) as person_number,
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
        people.person_number,
        max(built.at_us) as at_us
    from {{ this }} as built
    inner join people
        on
            built.user_key = people.user_key
            and built.at_us <= people.from_us - {{ carried_window }}
    group by built.user_key, people.person_number
),

bases as (
    select
        {%- for column in carried %}
        max(built.{{ column }}) as {{ column }},
        {%- endfor %}
        base_moments.person_number,
        built.user_key,
        built.at_us
    from {{ this }} as built
    inner join base_moments
        on
            built.user_key = base_moments.user_key
            and built.at_us = base_moments.at_us
    group by base_moments.person_number, built.user_key, built.at_us
),
{%- else %}
bases as (
    select
        {%- for column, type in carried.items() %}
        cast(null as {{ type }}) as {{ column }},
        {%- endfor %}
        person_number,
        user_key,
        0 as at_us
    from people
    where 1 = 0
),
{%- endif %}

sessions as (
    select
        sessions.*,
        people.person_number,
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
        sessions.person_number,
        sessions.started_us,
        {{ leader_key(
            'coalesce(channel_bases.visits_count, 0) + row_number() over (
                partition by sessions.person_number, sessions.channel
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
    select
        events.*,
        people.person_number
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
    select
        statements.*,
        people.person_number
    from {{ ref('int_features__statements') }} as statements
    inner join people
        on statements.user_key = people.user_key
),

refunds as (
    select * from {{ ref('stg_landing__refunds') }}
),

-- An order's status has no history: one that was cancelled counts at no moment.
orders as (
    select
        orders.*,
        people.person_number,
        {{ microseconds('orders.ordered_at') }} as at_us,
        {{ leader_key(
            'row_number() over (
                partition by people.person_number, orders.top_category
                order by orders.ordered_at, orders.order_id
            )', microseconds('orders.ordered_at'), 'orders.top_category'
        ) }} as category_key,
        lag({{ microseconds('orders.ordered_at') }}) over (
            partition by people.person_number order by orders.ordered_at, orders.order_id
        ) as previous_us,
        lead({{ microseconds('orders.ordered_at') }}) over (
            partition by people.person_number order by orders.ordered_at, orders.order_id
        ) as next_us
    from {{ ref('int_conversions__orders') }} as orders
    inner join people
        on orders.user_key = people.user_key
    where
        not orders.is_cancelled
        and orders.exclusion_reason is null
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
        orders.person_number,
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
        person_number,
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
        person_number,
        at_us,
        refunded_so_far - coalesce(
            lag(refunded_so_far) over (partition by order_id order by refunded_at, refund_id), 0
        ) as refunded
    from rounded_refunds
),

-- Where and with what a person was seen; only the sightings that differ from the one before.
described_sightings as (
    select
        person_number,
        device_type,
        case when coalesce(country, region, city) is not null then coalesce(country, '') end
            as country,
        case when coalesce(country, region, city) is not null then coalesce(region, '') end
            as region,
        case when coalesce(country, region, city) is not null then coalesce(city, '') end
            as city,
        {{ microseconds('occurred_at') }} as at_us,
        row_number() over (partition by person_number order by occurred_at, event_id)
            as sighting_number,
        lag(
            coalesce(device_type, '') || '|' || coalesce(country, '')
            || '|' || coalesce(region, '') || '|' || coalesce(city, '')
        ) over (partition by person_number order by occurred_at, event_id) as previous_description
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

numbered_moments as (
    select
        moments.moment_type,
        moments.moment_id,
        moments.at_us,
        people.person_number
    from moments
    inner join people
        on moments.user_key = people.user_key
),

-- What moves a feature, by kind, and what had added up when it had happened: one row per instant.
-- Each kind is added up over its own rows, and a moment looks up the last of them: that costs less
-- than half of adding up everything over a timeline of all moments and all kinds.
order_movements as (
    select
        person_number,
        at_us,
        order_id,
        gross_revenue as revenue,
        gross_revenue,
        discount,
        at_us as order_us,
        previous_us,
        category_key,
        case when coupon_code is not null then 1 end as coupons
    from orders
    union all
    select
        person_number,
        at_us,
        null as order_id,
        -refunded as revenue,
        null as gross_revenue,
        null as discount,
        null as order_us,
        null as previous_us,
        null as category_key,
        null as coupons
    from refund_steps
),

order_totals as (
    select distinct
        person_number,
        at_us,
        count(order_id) over so_far as orders_count,
        cast(sum(coupons) over so_far as bigint) as orders_with_coupon_count,
        sum(revenue) over so_far as revenue,
        sum(gross_revenue) over so_far as gross_revenue,
        sum(discount) over so_far as discount,
        max(order_us) over so_far as last_order_us,
        max(previous_us) over so_far as previous_order_us,
        max(category_key) over so_far as category_key
    from order_movements
    window so_far as (partition by person_number order by at_us)
),

session_movements as (
    select
        person_number,
        at_us - 1 as at_us,
        sessions_count as sessions,
        engagement_ms,
        last_session_us as session_us,
        channel_key,
        visits_desktop_count as visits_desktop,
        visits_mobile_count as visits_mobile,
        visits_tablet_count as visits_tablet,
        visits_other_count as visits_other
    from bases
    union all
    select
        person_number,
        started_us as at_us,
        1 as sessions,
        null as engagement_ms,
        started_us as session_us,
        channel_key,
        null as visits_desktop,
        null as visits_mobile,
        null as visits_tablet,
        null as visits_other
    from started_sessions
    union all
    select
        person_number,
        {{ microseconds('ended_at') }} as at_us,
        null as sessions,
        cast(round(engagement_seconds * 1000e0) as bigint) as engagement_ms,
        null as session_us,
        null as channel_key,
        case when device_type = 'desktop' then 1 end as visits_desktop,
        case when device_type = 'mobile' then 1 end as visits_mobile,
        case when device_type = 'tablet' then 1 end as visits_tablet,
        case when device_type not in ('desktop', 'mobile', 'tablet') then 1 end as visits_other
    from sessions
    where engagement_seconds > 0 or device_type is not null
),

session_totals as (
    select distinct
        person_number,
        at_us,
        cast(sum(sessions) over so_far as bigint) as sessions_count,
        sum(engagement_ms) over so_far as engagement_ms,
        max(session_us) over so_far as last_session_us,
        max(channel_key) over so_far as channel_key,
        {%- for kind in visit_kinds %}
        cast(sum(visits_{{ kind }}) over so_far as bigint) as visits_{{ kind }}_count
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from session_movements
    window so_far as (partition by person_number order by at_us)
),

action_movements as (
    select
        person_number,
        at_us - 1 as at_us,
        offers_redeemed_count as offers,
        signals_count as signals,
        last_signal_us as signal_us,
        last_cart_us as cart_us,
        last_checkout_us as checkout_us,
        signed_up_us
    from bases
    union all
    select
        person_number,
        {{ microseconds('occurred_at') }} as at_us,
        case when event_name = 'offer_redeemed' then 1 end as offers,
        case when event_name in {{ signals }} then 1 end as signals,
        case when event_name in {{ signals }} then {{ microseconds('occurred_at') }} end
            as signal_us,
        case when event_name = 'added_to_cart' then {{ microseconds('occurred_at') }} end
            as cart_us,
        case when event_name = 'checkout_started' then {{ microseconds('occurred_at') }} end
            as checkout_us,
        case when event_name = 'signed_up' then {{ microseconds('occurred_at') }} end
            as signed_up_us
    from events
    where event_name in ('offer_redeemed', 'signed_up') or event_name in {{ signals }}
),

action_totals as (
    select distinct
        person_number,
        at_us,
        cast(sum(offers) over so_far as bigint) as offers_redeemed_count,
        cast(sum(signals) over so_far as bigint) as signals_count,
        max(signal_us) over so_far as last_signal_us,
        max(cart_us) over so_far as last_cart_us,
        max(checkout_us) over so_far as last_checkout_us,
        min(signed_up_us) over so_far as signed_up_us
    from action_movements
    window so_far as (partition by person_number order by at_us)
),

sighting_movements as (
    select
        person_number,
        at_us - 1 as at_us,
        0 as sighting_number,
        device_type,
        country,
        region,
        city
    from bases
    union all
    select
        person_number,
        at_us,
        sighting_number,
        device_type,
        country,
        region,
        city
    from new_sightings
),

known_sightings as (
    select
        person_number,
        at_us,
        {{ last_known('device_type') }} over so_far as device_type,
        {{ last_known('country') }} over so_far as country,
        {{ last_known('region') }} over so_far as region,
        {{ last_known('city') }} over so_far as city,
        lead(at_us) over (partition by person_number order by at_us, sighting_number) as next_us
    from sighting_movements
    window
        so_far as (
            partition by person_number
            order by at_us, sighting_number
            rows between unbounded preceding and current row
        )
),

places as (
    select
        person_number,
        at_us,
        device_type,
        country,
        region,
        city
    from known_sightings
    where next_us is null or next_us > at_us
),

stated as (
    select
        person_number,
        stated_us as at_us,
        {{ last_known('interest') }} over so_far as interest,
        {{ last_known('value_theme') }} over so_far as value_theme,
        {{ last_known('urbanity') }} over so_far as urbanity,
        {{ last_known('psychographic_consent') }} over so_far as psychographic_consent
    from statements
    window so_far as (partition by person_number order by stated_us)
),

-- Every row is a moment or a time at which something of a kind had added up.
timeline as (
    select
        person_number,
        moment_type,
        moment_id,
        {%- for kind in kinds %}
        cast(null as bigint) as {{ kind }}_us,
        {%- endfor %}
        at_us
    from numbered_moments
    {%- for part in kinds %}
    union all
    select
        person_number,
        null as moment_type,
        null as moment_id,
        {%- for kind in kinds %}
        {{ 'at_us' if kind == part else 'null' }} as {{ kind }}_us,
        {%- endfor %}
        at_us
    from {{ part }}
    {%- endfor %}
),

-- For each moment the last such time strictly before it, and by the far end of each sliding window.
last_times as (
    select
        person_number,
        moment_type,
        moment_id,
        {%- for name, looked_up in lookups.items() %}
        {{ last_known(looked_up.kind ~ '_us') }} over {{ looked_up.frame }} as {{ name }}_us,
        {%- endfor %}
        at_us
    from timeline
    window
        {%- for days, width in windows.items() %}
        until_{{ days }} as (
            partition by person_number
            order by at_us
            range between unbounded preceding and {{ width }} preceding
        ),
        {%- endfor %}
        before as (
            partition by person_number
            order by at_us
            range between unbounded preceding and 1 preceding
        )
),

-- A sliding count is the count before minus the count up to the window's far end, that end out.
accumulated as (
    select
        people.user_key,
        people.first_seen_us,
        moments.moment_type,
        moments.moment_id,
        moments.at_us,
        orders.last_order_us,
        orders.previous_order_us,
        coalesce(orders.orders_count, 0) as orders_count,
        coalesce(orders_until_90.orders_count, 0) as orders_until_90,
        coalesce(orders_until_365.orders_count, 0) as orders_until_365,
        orders.revenue,
        orders_until_365.revenue as revenue_until_365,
        orders.gross_revenue,
        orders.discount,
        coalesce(sessions.sessions_count, 0) as sessions_count,
        coalesce(sessions_until_30.sessions_count, 0) as sessions_until_30,
        sessions.engagement_ms,
        sessions_until_30.engagement_ms as engagement_ms_until_30,
        coalesce(actions.offers_redeemed_count, 0) as offers_redeemed_count,
        coalesce(orders.orders_with_coupon_count, 0) as orders_with_coupon_count,
        coalesce(actions.signals_count, 0) as signals_count,
        coalesce(actions_until_7.signals_count, 0) as signals_until_7,
        {%- for kind in visit_kinds %}
        coalesce(sessions.visits_{{ kind }}_count, 0) as visits_{{ kind }}_count,
        {%- endfor %}
        actions.last_signal_us,
        actions.last_cart_us,
        actions.last_checkout_us,
        sessions.last_session_us,
        actions.signed_up_us,
        orders.category_key,
        sessions.channel_key,
        stated.interest,
        stated.value_theme,
        stated.urbanity,
        stated.psychographic_consent,
        places.device_type,
        places.country,
        places.region,
        places.city
    from last_times as moments
    inner join people
        on moments.person_number = people.person_number
    left join order_totals as orders
        on
            moments.person_number = orders.person_number
            and moments.orders_us = orders.at_us
    left join order_totals as orders_until_90
        on
            moments.person_number = orders_until_90.person_number
            and moments.orders_until_90_us = orders_until_90.at_us
    left join order_totals as orders_until_365
        on
            moments.person_number = orders_until_365.person_number
            and moments.orders_until_365_us = orders_until_365.at_us
    left join session_totals as sessions
        on
            moments.person_number = sessions.person_number
            and moments.sessions_us = sessions.at_us
    left join session_totals as sessions_until_30
        on
            moments.person_number = sessions_until_30.person_number
            and moments.sessions_until_30_us = sessions_until_30.at_us
    left join action_totals as actions
        on
            moments.person_number = actions.person_number
            and moments.actions_us = actions.at_us
    left join action_totals as actions_until_7
        on
            moments.person_number = actions_until_7.person_number
            and moments.actions_until_7_us = actions_until_7.at_us
    left join places
        on
            moments.person_number = places.person_number
            and moments.places_us = places.at_us
    left join stated
        on
            moments.person_number = stated.person_number
            and moments.stated_us = stated.at_us
    where moments.moment_id is not null
),

-- Now has no time of its own: it is the night's, and the row outlives the night.
final as (
    select
        * exclude (at_us, first_seen_us),
        case when moment_type <> 'now' then at_us end as at_us,
        case when moment_type = 'now' or first_seen_us < at_us then first_seen_us end
            as first_seen_us,
        case when moment_type <> 'now' then {{ moment_of('at_us') }} end as looked_at
    from accumulated
)

select * from final
