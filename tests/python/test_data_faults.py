"""Planted faults of a day's data: each is flagged, held or quarantined, and no clean day is.

After thirty good nights of a shop a bad day lands. Load and gate_raw see it before anything is
built from it; what only shows in what is built is planted in test_gates.py (a channel rule that was
deleted: `channels.unclassified_share`).
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import daily_shop
import pytest
from daily_shop import Day, Row, each

from apportion import gates, load
from apportion.night import Night
from apportion.settings import Settings
from apportion.simulate import simulate
from apportion.warehouse import connect

NIGHTS = 30
RUN_ID = "night999"
OTHER_CURRENCY = {"USD": "EUR", "EUR": "USD", None: None}


def shifted(column: str, hours: int) -> Callable[[Row], Row]:
    def change(row: Row) -> Row:
        moment = dt.datetime.fromisoformat(str(row[column])) + dt.timedelta(hours=hours)
        return row | {column: moment.isoformat()}

    return change


def times(column: str, factor: float) -> Callable[[Row], Row]:
    def change(row: Row) -> Row:
        value = row[column]
        return row | {column: None if value is None else round(float(str(value)) * factor, 4)}

    return change


def cut(column: str, length: int) -> Callable[[Row], Row]:
    return lambda row: row | {column: str(row[column])[:length] if row[column] else None}


def put(**values: object) -> Callable[[Row], Row]:
    return lambda row: row | values


def yesterday(*, instead: bool) -> Callable[[Day], None]:
    def plant(rows: Day) -> None:
        rows["events"] = daily_shop.day(NIGHTS - 1)["events"] + ([] if instead else rows["events"])

    return plant


def twice(dataset: str, key: str) -> Callable[[Day], None]:
    def plant(rows: Day) -> None:
        copies = [row | {key: f"{row[key]}"[:-1] + "x"} for row in rows[dataset]]
        rows[dataset] += [row | {key: f"{row[key]}"[:-1] + "y"} for row in copies] + copies

    return plant


def flood(**values: object) -> Callable[[Day], None]:
    def plant(rows: Day) -> None:
        robots = [
            row | {"event_id": f"robot-{number:05}"} | values
            for number, row in enumerate(rows["events"][:150])
        ]
        rows["events"] += robots

    return plant


def few(dataset: str, change: Callable[[Row], Row]) -> Callable[[Day], None]:
    def plant(rows: Day) -> None:
        rows[dataset][:3] = [change(row) for row in rows[dataset][:3]]

    return plant


def drop(dataset: str) -> Callable[[Day], None]:
    return lambda rows: rows.pop(dataset) and None


def renamed(dataset: str, column: str, name: str) -> Callable[[Day], None]:
    def plant(rows: Day) -> None:
        rows[dataset] = [
            {(name if key == column else key): value for key, value in row.items()}
            for row in rows[dataset]
        ]

    return plant


def without(dataset: str, column: str, value: object) -> Callable[[Day], None]:
    return each(dataset, lambda row: None if row[column] == value else row)


# What went wrong, how it is planted, and the check that must say so.
FAULTS: dict[str, tuple[Callable[[Day], None], str]] = {
    "a day is delivered again": (yesterday(instead=False), "event_drift.repeated_share"),
    "yesterday comes instead": (yesterday(instead=True), "sources.missing_nights"),
    "a day is sent thrice, new ids": (
        twice("events", "event_id"),
        "event_drift.weekday_volume_ratio",
    ),
    "orders are sent thrice, new ids": (
        twice("orders", "order_id"),
        "order_drift.weekday_volume_ratio",
    ),
    "a source does not come": (drop("events"), "sources.missing_nights"),
    "orders do not come": (drop("orders"), "sources.missing_nights"),
    "consents do not come": (drop("consents"), "sources.missing_nights"),
    "the day ends at three": (
        each("events", lambda row: row if str(row["occurred_at"])[11:13] < "15" else None),
        "event_drift.weekday_volume_ratio",
    ),
    "currencies are swapped": (
        each("orders", lambda row: row | {"currency": OTHER_CURRENCY[row["currency"]]}),
        "order_drift.currency_jump",
    ),
    "one currency for all": (each("orders", put(currency="EUR")), "order_drift.currency_jump"),
    "no order has a currency": (each("orders", put(currency=None)), "order_drift.fill_jump"),
    "currencies of events are swapped": (
        each("events", lambda row: row | {"currency": OTHER_CURRENCY[row["currency"]]}),
        "event_drift.currency_psi",
    ),
    "events are told in another zone": (
        each("events", shifted("occurred_at", -8)),
        "event_drift.time_of_day_psi",
    ),
    "orders are told in another zone": (
        each("orders", shifted("ordered_at", -8)),
        "order_drift.kind_jump",
    ),
    "orders lose their time of day": (
        each("orders", cut("ordered_at", 10)),
        "order_drift.fill_jump",
    ),
    "revenue is negative": (each("orders", times("revenue", -1)), "orders.negative_orders"),
    "some returns among the orders": (
        few("orders", times("revenue", -1)),
        "orders.negative_orders",
    ),
    "robots of one device": (flood(anonymous_id="robot"), "event_drift.top_source_share"),
    "robots of one address": (flood(ip="203.0.113.9"), "event_drift.top_source_share"),
    "event ids are cut": (each("events", cut("event_id", 11)), "event_drift.repeated_share"),
    "device ids are cut": (each("events", cut("anonymous_id", 9)), "event_drift.id_length_change"),
    "account ids are cut": (each("events", cut("user_id", 7)), "event_drift.id_length_change"),
    "order ids are cut": (each("orders", cut("order_id", 11)), "order_drift.id_length_change"),
    "consent is inverted": (
        each("events", lambda row: row | {"is_consented": not row["is_consented"]}),
        "event_drift.granted_jump",
    ),
    "no event tells of consent": (
        each("events", put(is_consented=None)),
        "event_drift.fill_jump",
    ),
    "answers are inverted": (
        each("consents", lambda row: row | {"is_granted": not row["is_granted"]}),
        "drift.times_the_limit",
    ),
    "all prices x 100": (
        each("orders", times("revenue", 100)),
        "order_drift.overall_amount_ratio",
    ),
    "all prices / 100": (
        each("orders", times("revenue", 0.01)),
        "order_drift.overall_amount_ratio",
    ),
    "prices with another unit": (each("orders", times("revenue", 4)), "order_drift.amount_ratio"),
    "order lines in cents": (
        each("order_items", times("unit_price", 100)),
        "drift.times_the_limit",
    ),
    "amounts of events in cents": (each("events", times("value", 100)), "event_drift.value_ratio"),
    "no account ids": (each("events", put(user_id=None)), "event_drift.fill_jump"),
    "no ids at all": (
        each("events", put(user_id=None, anonymous_id=None)),
        "events.nameless_share",
    ),
    "orders of nobody": (
        each("orders", put(user_id=None, email=None)),
        "orders.nameless_share",
    ),
    "contacts of nobody reachable": (each("contacts", put(email=None)), "drift.times_the_limit"),
    "events of the future": (
        few("events", shifted("occurred_at", 24 * 20)),
        "event_drift.days_ahead",
    ),
    "orders of the future": (
        few("orders", shifted("ordered_at", 24 * 20)),
        "order_drift.days_ahead",
    ),
    "event names are changed": (
        each("events", lambda row: row | {"event_name": f"shop.{row['event_name']}"}),
        "event_drift.event_name_psi",
    ),
    "no purchases are tracked": (
        without("events", "event_name", "added_to_cart"),
        "event_drift.event_name_psi",
    ),
    "a channel vanishes": (
        without("events", "utm_medium", "email"),
        "event_drift.channel_psi",
    ),
    "tags are written in another way": (
        each("events", lambda row: row | {"utm_medium": f"{row['utm_medium']}_2026"}),
        "event_drift.channel_psi",
    ),
    "the spend of a channel vanishes": (
        without("ad_spend", "channel", "paid_search"),
        "drift.times_the_limit",
    ),
    "spend in cents": (each("ad_spend", times("spend", 100)), "drift.times_the_limit"),
    "the rate is the inverse": (
        each("exchange_rates", put(rate_to_usd=0.7)),
        "drift.times_the_limit",
    ),
    "all orders are cancelled": (each("orders", put(status="cancelled")), "order_drift.kind_jump"),
    "all orders are of the store": (each("orders", put(channel="store")), "order_drift.kind_jump"),
    "all orders are free": (each("orders", put(revenue=0)), "orders.free_share"),
    "a column is renamed": (
        renamed("orders", "currency", "waehrung"),
        "columns.changed_columns",
    ),
    "pages are lost": (each("events", put(page_url=None)), "event_drift.fill_jump"),
    "all from one country": (each("events", put(country="SG")), "event_drift.audience_psi"),
    "amounts with a decimal comma": (
        each("orders", lambda row: row | {"revenue": f"{row['revenue']:.2f} dollars"}),
        "batches.quarantined_share",
    ),
    "lines without their order": (
        each("order_items", lambda row: row | {"order_id": f"#{row['order_id']}"}),
        "order_items.orphaned_share",
    ),
}
# Those whose batch waits: nothing is built from it.
HELD = {
    "all prices x 100": "orders",
    "all prices / 100": "orders",
    "no ids at all": "events",
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Thirty clean nights: nothing was held, and nothing was even warned of."""
    folder = tmp_path_factory.mktemp("history")
    settings = Settings(folder / "data", folder / "landing")
    for number in range(NIGHTS):
        daily_shop.land(settings.landing, number, daily_shop.day(number))
        assert warned(settings, f"night{number:03}") == {}, number
    return settings


@pytest.fixture
def good(history: Settings, tmp_path: Path) -> Settings:
    """A copy; what was landed stays where the ledger knows it, and the bad day lands beside."""
    shutil.copytree(history.data, tmp_path / "data")
    shutil.copytree(history.landing, tmp_path / "landing")
    with connect(tmp_path / "data" / "warehouse.duckdb") as connection:
        connection.execute(
            "update raw._files set path = replace(path, ?, ?)",
            [str(history.landing), str(tmp_path / "landing")],
        )
    return Settings(tmp_path / "data", tmp_path / "landing")


def warned(settings: Settings, run_id: str) -> dict[str, str]:
    """Load and judge; gives what failed, by suite and column."""
    night = Night(settings, run_id)
    load.load(night)
    gates.gate(night, "raw")
    with connect(settings.warehouse, read_only=True) as connection:
        rows = connection.execute(
            'select "check", observed from ops.quality_results'
            " where run_id = ? and stage = 'raw' and not success",
            [run_id],
        ).fetchall()
    return {check.rsplit(".", 1)[0]: observed for check, observed in rows}


def test_enough_faults_are_planted() -> None:
    assert len(FAULTS) >= 40


def test_a_clean_day_after_a_clean_month_is_let_through(good: Settings) -> None:
    daily_shop.land(good.landing, NIGHTS, daily_shop.day(NIGHTS))
    assert warned(good, RUN_ID) == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_flagged(good: Settings, fault: str) -> None:
    plant, check = FAULTS[fault]
    rows = daily_shop.day(NIGHTS)
    plant(rows)
    daily_shop.land(good.landing, NIGHTS, rows)
    found = warned(good, RUN_ID)
    assert check in found, found
    assert not any("could not be judged" in observed for observed in found.values()), found
    with connect(good.warehouse, read_only=True) as connection:
        held = connection.execute(
            "select dataset from raw._batches where status = 'held'"
        ).fetchall()
    if fault in HELD:
        assert (HELD[fault],) in held, held


def test_no_night_of_a_simulated_month_is_stopped(tmp_path: Path) -> None:
    """The simulated shop has its planted defects of single rows: warnings may be, holds not."""
    whole = tmp_path / "whole"
    simulate(whole / "landing", users=300, days=NIGHTS, seed=11)
    settings = Settings(tmp_path / "data", tmp_path / "landing")
    for number in range(NIGHTS):
        date = (dt.date(2026, 1, 1) + dt.timedelta(days=number)).isoformat()
        for path in (whole / "landing").rglob("*"):
            if path.is_file() and path.name.startswith(date):
                target = settings.landing / path.relative_to(whole / "landing")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        warned(settings, f"night{number:03}")
    with connect(settings.warehouse, read_only=True) as connection:
        assert connection.execute(
            "select count(*) filter (where status = 'held'), count(*) > 100 from raw._batches"
        ).fetchone() == (0, True)
