"""Retention: what is too old is gone from every table, stays gone, and nothing else is touched."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from pathlib import Path

import faults
import pytest
from test_nights import build, content, differences

from apportion import gates, load
from apportion.errors import UsageError
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

DATE = dt.date(2026, 3, 31)


def keep(settings: Settings, text: str) -> None:
    settings.landing.mkdir(parents=True, exist_ok=True)
    (settings.landing / "vars.yml").write_text(text)


def query(settings: Settings, sql: str) -> list[tuple]:
    with connect(settings.warehouse) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def shop(settings: Settings, land) -> Settings:
    """Orders of January to March with a line each, one event a month, a bad row in January."""
    for month in (1, 2, 3):
        orders = [
            {"order_id": f"o{month}-{n}", "ordered_at": f"2026-{month:02}-1{n}", "revenue": "10"}
            for n in range(3)
        ]
        items = [{"order_id": row["order_id"], "product_id": "p"} for row in orders]
        bad = [{"order_id": "bad", "ordered_at": "soon", "revenue": "1"}] if month == 1 else []
        land(f"orders/{month}.jsonl", orders + bad)
        land(f"order_items/{month}.jsonl", items)
        event = {"event_name": "page_viewed", "occurred_at": f"2026-{month:02}-15"}
        land(f"events/{month}.jsonl", [event | {"anonymous_id": f"a{month}"}])
    return settings


def test_rows_that_are_too_old_go_and_are_not_loaded_again(shop: Settings, land) -> None:
    load.load(Night(shop, date=DATE))
    keep(shop, "retention_days: {orders: 60, events: 60}\nretention_step_days: 10\n")
    said = load.load(Night(shop, date=DATE))
    assert "older than may be kept: 1 of events, 3 of order_items, 3 of orders" in said
    # What is younger stays, and what has no limit.
    assert query(shop, "select min(order_id), count(*) from raw.orders") == [("o2-0", 6)]
    assert query(shop, "select count(*) from raw.order_items") == [(6,)]
    # The bad row waits on: it has a time of its own.
    assert query(shop, "select count(*) from raw._quarantine") == [(1,)]
    assert query(
        shop,
        "select count(*) from raw._files where rows_in_file <> rows_loaded + rows_quarantined"
        " or rows_in_file < 0",
    ) == [(0,)]
    shutil.copy(shop.landing / "orders" / "1.jsonl", shop.landing / "orders" / "again.jsonl")
    said = load.load(Night(shop, date=DATE))
    assert "0 rows" in said and "older" not in said
    assert query(shop, "select count(*) from raw.orders") == [(6,)]
    # Late rows that are too old do not stay; late ones that are not, do.
    late = {"order_id": "late", "revenue": "1"}
    land("orders/late.jsonl", [late | {"ordered_at": day} for day in ("2025-12-01", "2026-03-01")])
    assert "1 of orders" in load.load(Night(shop, date=DATE))
    assert query(shop, "select count(*) from raw.orders") == [(7,)]


def test_rows_go_in_steps_and_none_is_kept_beyond_its_days(shop: Settings) -> None:
    keep(shop, "retention_days: {orders: 80}\nretention_step_days: 40\n")
    # The first order is 79 days old, then 81: with it goes what is older than 40.
    assert "older" not in load.load(Night(shop, date=dt.date(2026, 3, 29)))
    assert "6 of orders" in load.load(Night(shop, date=dt.date(2026, 3, 31)))


def test_a_date_in_the_future_does_not_empty_the_warehouse(shop: Settings) -> None:
    keep(shop, "retention_days: {orders: 60000}\n")
    assert "older" not in load.load(Night(shop, date=dt.date(2400, 1, 1)))
    assert query(shop, "select count(*) from raw.orders") == [(9,)]


def test_quarantined_rows_and_logs_do_not_wait_for_ever(shop: Settings) -> None:
    load.load(Night(shop, date=DATE))
    query(shop, "update raw._quarantine set quarantined_at = quarantined_at - interval 200 days")
    old, young = (shop.logs / name for name in ("dbt/dbt.log.1", "20260101T020000Z.log"))
    old.parent.mkdir(parents=True)
    for path in (old, young):
        path.write_text("event=started")
    os.utime(old, (time.time() - 200 * 86400,) * 2)
    assert "1 of quarantine" in load.load(Night(shop, date=DATE))
    assert query(shop, "select count(*) from raw._quarantine") == [(0,)]
    assert query(
        shop, "select rows_in_file, rows_quarantined from raw._files where path like '%orders/1.%'"
    ) == [(3, 0)]
    assert (old.exists(), young.exists()) == (False, True)


def test_landed_files_go_where_asked(shop: Settings) -> None:
    keep(
        shop,
        "retention_days: {events: 60}\nretention_step_days: 10\n"
        "retention_removes_landed_files: true\n",
    )
    assert "1 landed files removed" in load.load(Night(shop, date=DATE))
    assert sorted(path.name for path in (shop.landing / "events").iterdir()) == [
        "2.jsonl",
        "3.jsonl",
    ]
    assert "0 rows" in load.load(Night(shop, date=DATE))


@pytest.mark.parametrize(
    "text",
    [
        "retention_days: 30",
        "retention_days: {products: 90}",
        "retention_days: {orders: 20}",
        "retention_days: {orders: soon}",
        "retention_step_days: often",
    ],
)
def test_a_wrong_setting_is_wrong_usage_and_deletes_nothing(shop: Settings, text: str) -> None:
    keep(shop, text)
    with pytest.raises(UsageError, match="retention_days is a number of days"):
        load.load(Night(shop, date=DATE))
    assert query(shop, "select count(*) from raw.orders") == [(9,)]


def test_nights_with_retention_leave_what_a_full_refresh_leaves(tmp_path: Path) -> None:
    settings, (later,) = faults.simulated(tmp_path, "19")
    build(settings, 17)
    shutil.copytree(later, settings.landing, dirs_exist_ok=True)
    keep(settings, "retention_days: {events: 15, orders: 15}\nretention_step_days: 5\n")
    assert "everything" in build(settings, 19)
    oldest = query(settings, "select min(occurred_at) from raw.events")[0][0]
    assert dt.datetime(2026, 1, 11) <= oldest < dt.datetime(2026, 1, 13)
    assert query(settings, "select min(occurred_at) from intermediate.int_events__landed")[0] == (
        oldest,
    )
    gates.gate(Night(settings), "staging")
    # The clock goes on, and nothing reaches its limit: the night takes in what changed.
    assert "what changed" in build(settings, 20)
    again = Settings(tmp_path / "again", settings.landing)
    shutil.copytree(settings.data, again.data, symlinks=True)
    build(again, 20, full_refresh=True)
    assert not differences(content(settings), content(again))
