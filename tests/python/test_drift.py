"""A web shop whose daily file changes: loaded with one line in the seed, and both changes told."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import pytest

from apportion import gates, load, transform, warehouse
from apportion.night import Night
from apportion.settings import PROJECT, Settings

START = dt.date(2026, 3, 1)
DAYS = 14
RENAMED_ON, VANISHED_ON = 5, 10
ORDERS_A_DAY = 40


def daily_file(day: int) -> tuple[str, Decimal]:
    """The shop's own export of a day, and its takings: `Grand Total` is a new name on day 5."""
    draws = random.Random(day)
    names = ["Order ID", "Paid at", "Customer", "Total", "Discount Code"]
    if day >= RENAMED_ON:
        names[3] = "Grand Total"
    if day >= VANISHED_ON:
        names.pop()
    lines, takings = [";".join(names)], Decimal(0)
    for number in range(ORDERS_A_DAY):
        total = Decimal(draws.randrange(500, 20_000)) / 100
        takings += total
        moment = dt.datetime.combine(START, dt.time(9)) + dt.timedelta(day - 1, 600 * number)
        values = [f"{day}-{number}", f"{moment:%Y-%m-%d %H:%M:%S} +0100", f"c{number % 7}"]
        values += [str(total), draws.choice(["", "SPRING"])]
        lines.append(";".join(values[: len(names)]))
    return "\n".join(lines) + "\n", takings


def use_aliases(settings: Settings, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    seed = settings.landing.parent / "column_aliases.csv"
    known = (PROJECT / "seeds" / "column_aliases.csv").read_text(encoding="utf-8")
    seed.write_text(known + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(load, "ALIASES", seed)


def test_fourteen_days_of_a_shop_that_renames_and_drops(settings, land, monkeypatch) -> None:
    shop = ["orders,Order ID,order_id", "orders,Paid at,ordered_at", "orders,Customer,user_id",
            "orders,Discount Code,coupon_code"]  # fmt: skip
    use_aliases(settings, monkeypatch, *shop)
    takings = Decimal(0)
    for day in range(1, DAYS + 1):
        content, of_day = daily_file(day)
        takings += of_day
        land(f"orders/{START + dt.timedelta(day - 1)}.csv", content)
        if day == RENAMED_ON + 2:
            # Somebody reads the alert, and adds the one line.
            use_aliases(settings, monkeypatch, *shop, "orders,Grand Total,revenue")
        night = Night(settings, run_id=f"night{day:02}")
        load.load(night)
        gates.gate(night, "raw")
    result = transform.invoke(
        settings, ["run", "--select", "+source_schema_changes stg_landing__orders"], quiet=True
    )
    assert result.success, result.exception
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        assert connection.execute(
            "select count(*), sum(revenue), count(distinct file_seq)"
            " from staging.stg_landing__orders"
        ).fetchall() == [(DAYS * ORDERS_A_DAY, takings, DAYS)]
        assert connection.execute("select count(*) from raw._quarantine").fetchone() == (0,)
        assert connection.execute(
            "select change_type, previous_header, header_name, column_name, parse_filename(path)"
            " from marts.source_schema_changes order by path"
        ).fetchall() == [
            ("renamed", "Total", "Grand Total", "revenue", "2026-03-05.csv"),
            ("removed", "Discount Code", "Discount Code", "coupon_code", "2026-03-10.csv"),
        ]
        told = connection.execute(
            "select run_id, observed from ops.quality_results"
            " where stage = 'raw' and starts_with(\"check\", 'columns.') and not success"
            " order by run_id"
        ).fetchall()
    # Told in the night in which it came; the rename once more, as what it is, with its alias.
    assert [run_id for run_id, _ in told] == ["night05", "night07", "night10"]
    assert "added Grand Total" in told[0][1] and "removed Total" in told[0][1]
    assert "renamed Total to Grand Total" in told[1][1]
    assert "removed Discount Code" in told[2][1]
