"""The adapters: Segment Spec calls and GA4 export rows become events, people, orders; by hand."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from apportion import load, transform
from apportion.datasets import DATASETS
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import connect

Query = Callable[[str], list[tuple]]

SITE = "https://shop.example/"
SEGMENT = [
    {
        "type": "page",
        "messageId": "m1",
        "anonymousId": "d1",
        "timestamp": "2026-01-01T10:00:00.000Z",
        "name": "Home",
        "context": {
            "userAgent": "Mozilla/5.0",
            "ip": "203.0.113.9",
            "timezone": "Europe/Vienna",
            "page": {"url": f"{SITE}?a=b", "referrer": "https://www.google.com/"},
            "campaign": {"source": "google", "medium": "cpc", "name": "brand", "term": "shoes"},
        },
        "properties": {"path": "/"},
    },
    {
        "type": "identify",
        "messageId": "m2",
        "anonymousId": "d1",
        "userId": "u1",
        "timestamp": "2026-01-01T10:01:00Z",
        "traits": {"email": "Ann@Shop.example", "gender": "f", "address": {"city": "Graz"}},
    },
    # The clock of this device is an hour behind: 10:02 is what the receiver's clock said.
    {
        "type": "track",
        "event": "Order Completed",
        "messageId": "m3",
        "anonymousId": "d1",
        "userId": "u1",
        "originalTimestamp": "2026-01-01T09:02:00Z",
        "sentAt": "2026-01-01T09:02:05Z",
        "receivedAt": "2026-01-01T10:02:05Z",
        "properties": {
            "order_id": "o1",
            "revenue": 25.5,
            "currency": "usd",
            "products": [
                {"product_id": "p1", "category": "shoes", "price": 10, "quantity": 2},
                {"sku": "p2", "category": "hats", "price": "5.50"},
            ],
        },
    },
    # Corrected by Segment already: not once more.
    {
        "type": "track",
        "event": "Product Viewed",
        "messageId": "m4",
        "userId": "u1",
        "timestamp": "2026-01-01T10:03:00Z",
        "originalTimestamp": "2026-01-01T09:03:00Z",
        "sentAt": "2026-01-01T09:03:05Z",
        "receivedAt": "2026-01-01T10:03:05Z",
        "properties": {"product_id": "p1", "url": f"{SITE}p1"},
    },
    # RudderStack has the traits in the context.
    {
        "type": "identify",
        "messageId": "m5",
        "anonymousId": "d2",
        "timestamp": "2026-01-01T11:00:00Z",
        "context": {"traits": {"email": "ben@shop.example"}, "device": {"type": "Android"}},
    },
    # u0 was u1's first id; d8 is only known as a browser.
    {"type": "alias", "messageId": "m6", "previousId": "u0", "userId": "u1",
     "timestamp": "2026-01-01T12:00:00Z"},
    {"type": "screen", "messageId": "m7", "userId": "u0", "timestamp": "2025-12-31T12:00:00Z",
     "name": "Start"},
    {"type": "alias", "messageId": "m8", "previousId": "d8", "userId": "u8",
     "timestamp": "2026-01-01T12:00:00Z"},
    {"type": "screen", "messageId": "m9", "anonymousId": "d8",
     "timestamp": "2026-01-01T12:01:00Z"},
    {"type": "group", "messageId": "m10", "userId": "u8", "groupId": "g1",
     "timestamp": "2026-01-01T12:02:00Z"},
]  # fmt: skip


def param(key: str, value: object) -> dict:
    """One event parameter as BigQuery writes it: integers as text, no empty fields."""
    if isinstance(value, int):
        return {"key": key, "value": {"int_value": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"double_value": value}}
    return {"key": key, "value": {"string_value": value}}


def micros(text: str) -> str:
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    return str(int(moment.timestamp() * 1_000_000))


GA4 = [
    {
        "event_date": "20260101",
        "event_timestamp": micros("2026-01-01T10:00:00.000001"),
        "event_name": "page_view",
        "event_params": [
            param("ga_session_id", 17),
            param("page_location", f"{SITE}landing"),
            param("page_referrer", "https://www.bing.com/"),
            param("engagement_time_msec", 2500),
        ],
        "event_bundle_sequence_id": "5",
        "event_server_timestamp_offset": "1500000",
        "user_pseudo_id": "11.22",
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "No"},
        "device": {"category": "mobile", "operating_system": "iOS"},
        "geo": {"country": "Austria", "region": "(not set)", "city": "Vienna"},
        "collected_traffic_source": {"manual_source": "bing", "manual_medium": "cpc",
                                     "manual_campaign_name": "spring"},
        "stream_id": "1",
        "platform": "WEB",
        "items": [],
    },
    {
        "event_timestamp": micros("2026-01-01T10:05:00"),
        "event_name": "purchase",
        "event_params": [
            param("ga_session_id", 17),
            param("transaction_id", "T1"),
            param("currency", "USD"),
            param("value", 12.25),
        ],
        "user_id": "u2",
        "user_pseudo_id": "11.22",
        "ecommerce": {"transaction_id": "T1", "purchase_revenue": 12.25},
        "items": [
            {"item_id": "p1", "item_category": "shoes", "price": 2.25, "quantity": "1"},
            {"item_id": "p3", "item_category": "hats", "price": 5.0, "quantity": "2"},
        ],
        "stream_id": "1",
    },
    # An export from before collected_traffic_source, of somebody who did not consent.
    {
        "event_timestamp": micros("2026-01-01T10:06:00"),
        "event_name": "session_start",
        "event_params": [param("source", "(direct)"), param("medium", "(none)")],
        "privacy_info": {"analytics_storage": "No"},
        "stream_id": "1",
    },
]  # fmt: skip

ORDERS = [
    # The landed order is the order; what an event says of it counts for nothing.
    {"order_id": "o9", "ordered_at": "2026-01-01T08:00:00Z", "user_id": "u9", "revenue": "7"},
]
EVENTS = [
    {"event_id": "e9", "event_name": "purchase", "occurred_at": "2026-01-01T08:00:01Z",
     "user_id": "u9", "order_id": "o9", "value": "700"},
    # A purchase that names no order is none.
    {"event_id": "e8", "event_name": "purchase", "occurred_at": "2026-01-01T08:00:02Z",
     "user_id": "u9", "value": "700"},
    # The message that Segment delivered too, received earlier here.
    {"event_id": "m4", "event_name": "product_viewed", "occurred_at": "2026-01-01T10:03:00Z",
     "received_at": "2026-01-01T10:03:04Z", "user_id": "u1"},
    # Sent by a clock that is a day ahead.
    {"event_id": "e7", "event_name": "page_viewed", "occurred_at": "2026-01-02T07:00:00Z",
     "sent_at": "2026-01-02T07:00:10Z", "received_at": "2026-01-01T07:00:10Z", "user_id": "u9"},
]  # fmt: skip


def as_parquet(rows: list[dict], path: Path) -> None:
    """Write GA4 rows as Parquet with BigQuery's nested types."""
    value = "struct(string_value varchar, int_value bigint, float_value double,"
    value += " double_value double)"
    columns = {
        "event_date": "varchar", "event_timestamp": "bigint", "event_name": "varchar",
        "event_params": f"struct(key varchar, value {value})[]",
        "event_bundle_sequence_id": "bigint", "event_server_timestamp_offset": "bigint",
        "user_id": "varchar", "user_pseudo_id": "varchar",
        "privacy_info": "struct(analytics_storage varchar, ads_storage varchar)",
        "device": "struct(category varchar, operating_system varchar)",
        "geo": "struct(country varchar, region varchar, city varchar)",
        "collected_traffic_source":
            "struct(manual_source varchar, manual_medium varchar, manual_campaign_name varchar)",
        "ecommerce": "struct(transaction_id varchar, purchase_revenue double)",
        "items":
            "struct(item_id varchar, item_category varchar, price double, quantity bigint)[]",
        "stream_id": "varchar", "platform": "varchar",
    }  # fmt: skip
    source = path.with_suffix(".source")
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.execute(
        f"copy (from read_json('{source}', format='newline_delimited', columns={columns!r}))"
        f" to '{path}' (format parquet)"
    )
    source.unlink()


def build(settings: Settings) -> None:
    night = Night(settings)
    load.load(night)
    transform.build(night, "staging")
    transform.build(night, "intermediate")


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Query:
    """Queries of a warehouse that was built from all of the rows above, GA4's twice."""
    folder = tmp_path_factory.mktemp("adapters")
    landing = folder / "landing"
    for name, rows in {
        "segment/a.jsonl": SEGMENT,
        "ga4/events_20260101.jsonl": GA4,
        "orders/a.jsonl": ORDERS,
        "events/a.jsonl": EVENTS,
    }.items():
        (landing / name).parent.mkdir(parents=True)
        (landing / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    as_parquet(GA4, landing / "ga4" / "events_20260101.parquet")
    settings = Settings.resolve(folder / "data", landing)
    build(settings)

    def run(sql: str) -> list[tuple]:
        with connect(settings.warehouse, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return run


def test_every_row_is_loaded(query: Query) -> None:
    assert query("select dataset, sum(rows_loaded), sum(rows_quarantined) from raw._files"
                 " group by dataset order by dataset") == [
        ("events", 4, 0), ("ga4", 6, 0), ("orders", 1, 0), ("segment", 10, 0),
    ]  # fmt: skip


def test_an_amount_that_is_none_is_quarantined_not_lost(tmp_path: Path) -> None:
    call = {"type": "track", "event": "Order Completed", "timestamp": "2026-01-01T10:00:00Z"}
    properties = [{"revenue": "12,50 EUR"}, {"total": True}, {"revenue": ""}, {"value": "red"}]
    file = tmp_path / "landing" / "segment" / "a.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(call | {"properties": each}) + "\n" for each in properties))
    settings = Settings.resolve(tmp_path / "data", tmp_path / "landing")
    load.load(Night(settings))
    with connect(settings.warehouse, read_only=True) as connection:
        assert connection.execute(
            "select line, reason from raw._quarantine order by line"
        ).fetchall() == [
            (1, "properties.revenue: '12,50 EUR' is not an amount (at most 14 digits before the"
                " point)"),
            (2, "properties.total: 'true' is not an amount (at most 14 digits before the point)"),
        ]  # fmt: skip


def test_the_lists_of_event_sources_are_one() -> None:
    listed = (PROJECT / "macros" / "events" / "event_sources.sql").read_text()
    of_python = [dataset.name for dataset in DATASETS.values() if dataset.is_events]
    assert [name for name in DATASETS if f"'{name}':" in listed] == of_python
    assert len(of_python) == 3


def test_a_page_call_is_a_page_view_with_its_context(query: Query) -> None:
    assert query(
        "select event_name, anonymous_id, page_url, referrer_url, utm_source, utm_medium,"
        " utm_campaign, utm_term, user_agent, ip, timezone"
        " from intermediate.int_events__landed where event_id = 'm1'"
    ) == [
        ("page", "d1", f"{SITE}?a=b", "https://www.google.com/", "google", "cpc", "brand", "shoes",
         "Mozilla/5.0", "203.0.113.9", "Europe/Vienna")
    ]  # fmt: skip
    assert query(
        "select event_name, occurred_at from intermediate.int_events__deduplicated"
        " where event_id in ('m1', 'm7') order by event_id"
    ) == [
        ("page_viewed", dt.datetime(2026, 1, 1, 10)),
        ("page_viewed", dt.datetime(2025, 12, 31, 12)),
    ]


def test_the_clock_of_the_sender_is_corrected_once(query: Query) -> None:
    assert query(
        "select event_id, occurred_at, delivered_at from intermediate.int_events__landed"
        " where event_id in ('m3', 'e7') or event_id = 'm4' and received_at > '2026-01-01 10:03:04'"
        " order by event_id"
    ) == [
        ("e7", dt.datetime(2026, 1, 1, 7), dt.datetime(2026, 1, 2, 7)),
        ("m3", dt.datetime(2026, 1, 1, 10, 2), dt.datetime(2026, 1, 1, 9, 2)),
        ("m4", dt.datetime(2026, 1, 1, 10, 3), dt.datetime(2026, 1, 1, 9, 3)),
    ]


def test_people_are_joined_by_identify_and_alias(query: Query) -> None:
    people = query(
        "select list_sort(list(identifier_type || ' ' || identifier_value))"
        " from intermediate.int_identity__identifiers group by user_key order by 1"
    )
    assert people == [
        (["anonymous_id 11.22", "user_id u2"],),
        (["anonymous_id d1", "anonymous_id u0", "email ann@shop.example", "user_id u0",
          "user_id u1"],),
        (["anonymous_id d2", "email ben@shop.example"],),
        (["anonymous_id d8", "user_id u8"],),
        (["user_id u9"],),
    ]  # fmt: skip


def test_traits_are_attributes_of_the_person(query: Query) -> None:
    assert query(
        "select gender, city from intermediate.int_features__contact_attributes"
        " where gender is not null"
    ) == [("female", "Graz")]


def test_an_event_that_tells_of_an_order_is_an_order(query: Query) -> None:
    assert query(
        "select order_id, conversion_type, revenue, items_count, top_category"
        " from intermediate.int_conversions__orders order by order_id"
    ) == [
        ("T1", "order", Decimal("12.2500"), 2, "hats"),
        ("o1", "order", Decimal("25.5000"), 2, "shoes"),
        ("o9", None, Decimal("7.0000"), 0, None),
    ]
    assert query(
        "select conversion_type, count(*), sum(revenue) from intermediate.int_conversions__valued"
        " group by conversion_type"
    ) == [("order", 3, Decimal("44.7500"))]


def test_calls_that_say_who_somebody_is_are_no_visit(query: Query) -> None:
    assert query(
        "select count(*) from intermediate.int_sessions__events"
        " where event_id in ('m2', 'm5', 'm6', 'm8', 'm10')"
    ) == [(0,)]


def test_a_ga4_row_is_an_event(query: Query) -> None:
    (row,) = query(
        "select distinct event_name, anonymous_id, session_id, page_url, referrer_url,"
        " utm_source, utm_medium, utm_campaign, device_type, country, region, city,"
        " is_consented, engagement_seconds, occurred_at, received_at"
        " from intermediate.int_events__landed where event_name = 'page_view'"
    )
    assert row == (
        "page_view", "11.22", "11.22.17", f"{SITE}landing", "https://www.bing.com/",
        "bing", "cpc", "spring", "mobile", "Austria", None, "Vienna", True, 2.5,
        dt.datetime(2026, 1, 1, 10, 0, 0, 1), dt.datetime(2026, 1, 1, 10, 0, 1, 500001),
    )  # fmt: skip
    assert query(
        "select distinct utm_source, utm_medium, is_consented"
        " from intermediate.int_events__landed where event_name = 'session_start'"
    ) == [(None, None, False)]


def test_parameters_are_properties(query: Query) -> None:
    assert query(
        "select distinct properties ->> '$.value', properties ->> '$.transaction_id'"
        " from intermediate.int_events__landed where event_name = 'purchase' and order_id = 'T1'"
    ) == [("12.25", "T1")]


def test_an_event_is_one_in_every_format_and_from_every_source(query: Query) -> None:
    """JSON and Parquet of one GA4 table; one message by two ways, of which the earliest counts."""
    assert query(
        "select datasets, sum(duplicates_count) from (select duplicates_count,"
        " dataset as datasets from intermediate.int_events__deduplicated"
        " inner join raw._files using (file_seq)) group by datasets order by datasets"
    ) == [("events", 1), ("ga4", 3), ("segment", 0)]
    assert query(
        "select received_at from intermediate.int_events__deduplicated where event_id = 'm4'"
    ) == [(dt.datetime(2026, 1, 1, 10, 3, 4),)]
