"""Generated journeys: the intermediate tables that the engine reads, and the same for the peers."""

from __future__ import annotations

from pathlib import Path

import duckdb

CHANNELS = ("direct", "email", "organic_search", "paid_search", "display", "organic_social",
            "paid_social", "affiliate", "referral", "push")  # fmt: skip
TOUCHES_PER_JOURNEY = 5
PEOPLE_PER_JOURNEY = 3
CONVERSION_SHARE = 0.05

_TABLES = """
create schema raw; create schema ops; create schema intermediate; create schema seeds;
create table ops.clock as select timestamp '2026-04-01' as as_of;
create table seeds.attribution_custom_weights (dimension varchar, value varchar, weight double);
create table lengths as
select
    j as journey, least(1 + cast(floor(-ln(random()) * {mean}) as bigint), 500) as touch_count,
    random() < {share} as is_converted, j // {people} as person
from range({journeys}) as journeys (j);
create table walked as
select
    journey, person, is_converted, touch_number, touch_count,
    {channels}[1 + cast(floor(pow(random(), 1.7) * {count}) as bigint)] as channel,
    timestamp '2026-03-31' - to_seconds(
        cast(person % 2000000 + (touch_count - touch_number) * 3600 as bigint)
    ) as touched_at
from lengths, lateral (select unnest(generate_series(1, touch_count)) as touch_number);
create table intermediate.int_touchpoints__collapsed as
select
    't' || lpad(journey::varchar, 10, '0') || '_' || touch_number as touchpoint_id,
    'p' || person as user_key, 'click' as touch_type, channel,
    channel || '_' || journey % 5 as campaign_id, null::varchar as content_id,
    case when journey % 2 = 0 then 'retargeting' else 'none' end as tactic,
    1::double as base_weight,
    null::double as engagement_seconds, channel = 'direct' as is_direct,
    channel in ('paid_search', 'display') as is_paid, journey % 2 = 0 as is_personalized, touched_at
from walked;
create table intermediate.int_journeys__touchpoints as
select
    'j' || lpad(journey::varchar, 10, '0') as journey_id,
    't' || lpad(journey::varchar, 10, '0') || '_' || touch_number as touchpoint_id,
    'p' || person as user_key,
    case when is_converted then 'j' || lpad(journey::varchar, 10, '0') end as conversion_id,
    'order' as conversion_type, touch_number, touch_count,
    case when is_converted then (touch_count - touch_number) * 3600000000 + 1000000 end
        as microseconds_to_conversion,
    is_converted, touched_at,
    case when is_converted
        then touched_at + to_seconds((touch_count - touch_number) * 3600 + 1) end as converted_at
from walked;
create table intermediate.int_journeys__journeys as
select
    journey_id, any_value(user_key) as user_key, any_value(conversion_id) as conversion_id,
    'order' as conversion_type, count(*) as touch_count, any_value(is_converted) as is_converted,
    false as is_open, max(touched_at) as ended_at
from intermediate.int_journeys__touchpoints group by journey_id;
create table intermediate.int_attribution__conversions as
select
    conversion_id, any_value(user_key) as user_key, 'order' as conversion_type,
    100::decimal(18, 4) as revenue, 0::decimal(18, 4) as clv, false as is_lead,
    any_value(converted_at) as converted_at
from intermediate.int_journeys__touchpoints where is_converted group by conversion_id;
create table intermediate.int_nights__affected_users (user_key varchar);
drop table lengths;
drop table walked;
"""


def make(folder: Path, journeys: int) -> Path:
    """Write a warehouse of so many journeys; returns its data folder. One that exists is kept."""
    data = folder / f"journeys_{journeys}"
    warehouse = data / "warehouse.duckdb"
    if (data / "complete").exists():
        return data
    data.mkdir(parents=True, exist_ok=True)
    warehouse.unlink(missing_ok=True)
    from apportion.fit import ATTRIBUTION_TABLES

    with duckdb.connect(str(warehouse)) as connection:
        # One thread, so that each call draws the same.
        connection.execute("set threads = 1")
        connection.execute("select setseed(0.5)")
        connection.execute(
            _TABLES.format(
                journeys=journeys,
                mean=TOUCHES_PER_JOURNEY - 1 + 0.5,
                share=CONVERSION_SHARE,
                people=PEOPLE_PER_JOURNEY,
                channels=list(CHANNELS),
                count=len(CHANNELS),
            )
        )
        connection.execute("create schema ml")
        for table, columns in ATTRIBUTION_TABLES.items():
            connection.execute(f"create table ml.{table} ({columns})")
        place = f"'{data}/touches.parquet'"
        connection.execute(
            "copy (select journey_id, cast(substr(journey_id, 2) as bigint) as journey_number,"
            " touch_number, channel, is_converted,"
            " journeys.touched_at from intermediate.int_journeys__touchpoints as journeys"
            " inner join intermediate.int_touchpoints__collapsed using (touchpoint_id)"
            f" order by journey_id, touch_number) to {place}"
        )
        connection.execute(
            "copy (select string_agg(channel, ' > ' order by touch_number) as path,"
            " any_value(is_converted)::int as conversions,"
            " 1 - any_value(is_converted)::int as non_conversions,"
            f" 100.0 * any_value(is_converted)::int as revenue from {place}"
            f" group by journey_id) to '{data}/paths.parquet'"
        )
    (data / "complete").touch()
    return data
