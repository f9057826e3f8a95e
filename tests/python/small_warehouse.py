"""A small warehouse that all gates let through: 12 people, 120 orders, 240 touches."""

from __future__ import annotations

from pathlib import Path

from apportion import warehouse
from apportion.datasets import DATASETS
from apportion.ledger import prepare
from apportion.settings import Settings

RUN_ID = "20260131T020000Z"

LANDED = f"""
insert into ops.clock values (timestamp '2026-01-31');
insert into raw.events (
    event_id, event_name, occurred_at, user_id, _file_seq, _row_number, _batch_id
)
select
    'e' || i, 'ad_click', timestamp '2026-01-30' - to_minutes(i), 'u' || i % 12,
    1, i, '{RUN_ID}:events'
from range(120) as numbers (i);
insert into raw.orders (order_id, ordered_at, user_id, revenue, _file_seq, _row_number, _batch_id)
select
    'o' || i, timestamp '2026-01-31' - to_minutes(i + 1), 'u' || i % 12, 10.01,
    2, i, '{RUN_ID}:orders'
from range(120) as numbers (i);
insert into raw.order_items (order_id, product_id, _file_seq, _row_number, _batch_id)
select 'o' || i, 'p1', 3, i, '{RUN_ID}:order_items'
from range(120) as numbers (i);
insert into raw.contacts (contact_id, user_id, email, _file_seq, _row_number, _batch_id)
select 'c' || i, 'u' || i, 'u' || i || '@example.com', 4, i, '{RUN_ID}:contacts'
from range(120) as numbers (i);
insert into raw._batches (
    batch_id, run_id, dataset, status, files_count, rows_loaded, rows_quarantined, created_at
)
select '{RUN_ID}:' || dataset, '{RUN_ID}', dataset, 'released', 1, 120, 0, timestamp '2026-01-31'
from (values ('events'), ('orders'), ('order_items'), ('contacts')) as datasets (dataset);
insert into raw._files (
    file_seq, dataset, path, sha256, status, batch_id, run_id,
    rows_in_file, rows_loaded, rows_quarantined, first_seen_at, loaded_at
)
select
    row_number() over (), dataset, dataset || '/a.csv', md5(dataset), 'loaded', batch_id, run_id,
    120, 120, 0, created_at, created_at
from raw._batches;
insert into ops.source_freshness
select
    '{RUN_ID}', dataset, timestamp '2026-01-30 23:00', created_at, 120, 'updated', created_at, 0
from raw._batches;
insert into ops.run_log values ('{RUN_ID}', 'load', 'done', null, 480, timestamp '2026-01-31', 1);
"""

INTERMEDIATE = """
create table intermediate.int_identity__identifiers as
select
    identifier_type, prefix || i || suffix as identifier_value,
    md5(prefix || i || suffix) as identifier_hash, 'person' || i as user_key
from range(12) as numbers (i)
cross join (values ('user_id', 'u', ''), ('email', 'u', '@example.com'), ('phone', '0664', '555'))
    as kinds (identifier_type, prefix, suffix);
create view intermediate.int_events__landed as from staging.stg_landing__events;
create table intermediate.int_identity__cut as
select 1 as node, 1 as component_order, 1 as whole_node, 'veto' as reason;
create table intermediate.int_events__deduplicated as
select
    event_id, 'person' || substr(user_id, 2) as user_key, event_name,
    null::varchar as exclusion_reason, 0::bigint as duplicates_count, occurred_at
from raw.events;
create table intermediate.int_sessions__sessionized as
select
    event_id as session_id, user_key, 'display' as channel,
    occurred_at as started_at, occurred_at + interval 5 minutes as ended_at
from intermediate.int_events__deduplicated;
create table intermediate.int_touchpoints__collapsed as
select
    't' || i as touchpoint_id, 'person' || i % 12 as user_key,
    case when i % 4 < 2 then 'email' else 'display' end as channel,
    'none' as tactic, 1.0::double as base_weight, 0::decimal(18,4) as cost,
    case
        when i % 2 = 0 then timestamp '2026-01-29' - to_minutes(i)
        else timestamp '2026-01-15' - to_minutes(i)
    end as touched_at
from range(240) as numbers (i);
create table intermediate.int_conversions__valued as
select
    order_id as conversion_id, 'person' || substr(user_id, 2) as user_key,
    'order' as conversion_type, order_id, revenue,
    case when _row_number < 12 then 100::decimal(18,4) else 0::decimal(18,4) end
        as lifetime_revenue,
    ordered_at as converted_at, lag(ordered_at) over (partition by user_id order by ordered_at)
        as previous_converted_at
from raw.orders;
create table intermediate.int_conversions__without_rate as
select 'order' as source_kind, conversion_id as source_key from intermediate.int_conversions__valued
limit 0;
create table intermediate.int_journeys__touchpoints as
select
    'o' || i // 2 as journey_id, 't' || i as touchpoint_id, 'o' || i // 2 as conversion_id,
    case when i % 2 = 1 then 1 else 2 end as touch_number, 2::bigint as touch_count,
    epoch_us(conversions.converted_at) - epoch_us(touchpoints.touched_at)
        as microseconds_to_conversion,
    true as is_converted, touchpoints.touched_at, conversions.converted_at
from range(240) as numbers (i)
inner join intermediate.int_touchpoints__collapsed as touchpoints on touchpoint_id = 't' || i
inner join intermediate.int_conversions__valued as conversions on conversion_id = 'o' || i // 2;
create table intermediate.int_journeys__journeys as
select conversion_id as journey_id, conversion_id, true as is_converted, 2::bigint as touch_count
from intermediate.int_conversions__valued;
"""

MARTS = """
create table marts.conversions as
select * exclude (lifetime_revenue), lifetime_revenue as clv
from intermediate.int_conversions__valued;
create table marts.touchpoints as from intermediate.int_touchpoints__collapsed;
create table marts.sessions as from intermediate.int_sessions__sessionized;
create table marts.user_profiles as
select 'person' || i as user_key, 'AT' as country, 100::decimal(18,4) as revenue
from range(12) as numbers (i);
create table marts.attribution_credits as
select
    attribution_model, 'all' as attribution_scope, touches.conversion_id, touches.touchpoint_id,
    touchpoints.channel, credit, credit * conversions.revenue as credited_revenue,
    credit * conversions.clv as credited_clv
from (
    select 'linear' as attribution_model, conversion_id, touchpoint_id, 0.5::double as credit
    from intermediate.int_journeys__touchpoints
    union all
    select 'last_touch', conversion_id, touchpoint_id, (touch_number = 2)::double
    from intermediate.int_journeys__touchpoints
) as touches
inner join marts.touchpoints as touchpoints using (touchpoint_id)
inner join marts.conversions as conversions using (conversion_id)
union all
select
    attribution_model, 'personalized', conversion_id, null, 'unattributed', 1::double,
    revenue::double, clv::double
from marts.conversions
cross join (values ('linear'), ('last_touch')) as models (attribution_model);
create table marts.attribution_by_channel as
select
    attribution_model, attribution_scope, channel, sum(credit) as conversions,
    sum(credited_revenue) as revenue, sum(credited_clv) as clv
from marts.attribution_credits
group by all;
create table marts.segment_memberships as
select
    user_key, 'geographic' as segment_family, 'AT' as segment, true as is_current
from marts.user_profiles;
create table marts.attribution_by_segment as
select
    attribution_model, attribution_scope, 'geographic' as segment_family, 'AT' as segment, channel,
    sum(credit) as conversions
from marts.attribution_credits
group by all;
create table marts.segment_quality as
select
    'geographic' as segment_family, 1000::bigint as members, 0.01::double as psi,
    false as is_over_segmented, timestamp '2026-01-31' as ended_at;
create view marts.run_log as from "warehouse"."ops"."run_log";
create view marts.quality_results as from "warehouse"."ops"."quality_results";
"""


def build(data: Path) -> Settings:
    """Make the warehouse in a data folder."""
    settings = Settings(data, data / "landing")
    settings.landing.mkdir(parents=True)
    with warehouse.connect(settings.warehouse) as connection:
        prepare(connection, settings)
        connection.execute(LANDED)
        for schema in ("staging", "intermediate", "marts"):
            connection.execute(f"create schema {schema}")
        staged = {dataset: f"stg_landing__{dataset}" for dataset in DATASETS}
        staged |= {"segment": "stg_segment__events", "ga4": "stg_ga4__events"}
        renamed = {
            "segment": "message_id as event_id, timestamp as occurred_at",
            "ga4": "'' as event_id, event_timestamp as occurred_at",
        }
        for dataset, model in staged.items():
            connection.execute(
                f"create view staging.{model} as "
                f"select {renamed.get(dataset, 'landed.*')} from raw.{dataset} as landed "
                "inner join raw._batches as batches on landed._batch_id = batches.batch_id "
                "where batches.status = 'released'"
            )
        connection.execute(INTERMEDIATE)
        connection.execute(MARTS)
    return settings
