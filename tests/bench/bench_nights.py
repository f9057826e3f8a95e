"""What one more day costs against a full refresh of the same raw, in CPU time of the dbt models.

A simulated shop lands all but its last day and is built; the last day lands and is built as one
night; then everything is built anew. Data tests and publishing are left out: they are the same for
both. Gates are told as a share of all that a night does; --whole tells it of the one day with its
tests and publishing, and then dbt's share of the day holds the tests too. Publishing is told next
to a plain copy of the marts: the same tables in the same two formats, neither checked nor told of.

    python tests/bench/bench_nights.py --users 2400 --days 365
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from apportion import simulate, transform
from apportion.night import STEPS, Night
from apportion.settings import Settings
from apportion.warehouse import connect, literal

# In the past whatever the length, and like most days: where a month begins, all are looked at.
LAST_DAY = dt.date(2026, 5, 20)


def cpu_seconds() -> float:
    """CPU time of this process, its threads and those it waited for so far, in seconds."""
    return sum(os.times()[:4])


def timed(name: str, step: Callable[[], object]) -> float:
    """Do a step, print what it cost and said, and return its CPU time in seconds."""
    before = cpu_seconds()
    said = step()
    spent = cpu_seconds() - before
    print(f"{name:24} {spent:8.1f} s CPU  {str(said)[:110]}", flush=True)
    return spent


def without_tests(settings: Settings, arguments: list[str], *, quiet: bool) -> object:
    """`transform.invoke`, building models only."""
    if arguments[0] == "build":
        arguments = [*arguments, "--exclude-resource-type", "test", "unit_test"]
    return _invoke(settings, arguments, quiet=quiet)


_invoke = transform.invoke


def slowest(settings: Settings, count: int) -> str:
    """The models of the last dbt run that took longest, with their wall times in seconds."""
    results = json.loads((settings.target / "run_results.json").read_text())["results"]
    models = sorted(results, key=lambda result: -result["execution_time"])[:count]
    return ", ".join(
        f"{model['unique_id'].split('.')[-1]} {model['execution_time']:.1f}" for model in models
    )


def plain_copy(settings: Settings, folder: Path) -> str:
    """Write every table of the marts to a DuckDB file and to Parquet, as DuckDB does by itself."""
    with connect(":memory:") as connection:
        connection.execute(f"attach {literal(settings.warehouse)} as warehouse (read_only)")
        connection.execute(f"attach {literal(folder / 'copy.duckdb')} as plain")
        tables = connection.execute(
            "select table_name from information_schema.tables"
            " where table_catalog = 'warehouse' and table_schema = 'marts' order by table_name"
        ).fetchall()
        for (table,) in tables:
            parquet = literal(folder / f"{table}.parquet")
            connection.execute(f"create table plain.{table} as from warehouse.marts.{table}")
            connection.execute(f"copy plain.{table} to {parquet} (format parquet)")
        connection.execute("detach plain")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return f"{len(tables)} tables, {size / 1e6:,.1f} MB"


def night(
    settings: Settings, name: str, date: dt.date, *, full_refresh: bool, whole: bool, top: int
) -> float:
    """One night, whole or without data tests and publishing; returns the CPU time of dbt, in s."""
    transform.invoke = _invoke if whole else without_tests
    this = Night(settings, date=date, full_refresh=full_refresh)
    spent = dict.fromkeys(("gate", "build", "publish", "other"), 0.0)
    for step in STEPS if whole else STEPS[:-1]:
        kind = step.name.split("_")[0]
        spent[kind if kind in spent else "other"] += timed(
            f"{name}: {step.name}", functools.partial(step.run, this)
        )
        if top and kind == "build":
            print("   ", slowest(settings, top))
    if whole:
        with tempfile.TemporaryDirectory(dir=settings.data) as folder:
            copied = timed(
                f"{name}: plain copy", functools.partial(plain_copy, settings, Path(folder))
            )
        print(f"{name}: publishing / a plain copy of the marts: {spent['publish'] / copied:.2f}")
    share = spent["gate"] / sum(spent.values())
    print(f"{name}: {spent['build']:.1f} s CPU of dbt; gates {spent['gate']:.1f} s, {share:.1%}")
    return spent["build"]


def main() -> None:
    """Print the costs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=2400)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--top", type=int, default=0, help="slowest models to name per stage")
    parser.add_argument("--work", type=Path, help="folder to work in, kept; else a temporary one")
    parser.add_argument("--no-full", action="store_true", help="leave the full refresh out")
    parser.add_argument("--whole", action="store_true", help="test and publish the one day too")
    chosen = parser.parse_args()
    work = chosen.work or Path(tempfile.mkdtemp())
    first_day = LAST_DAY - dt.timedelta(days=chosen.days - 1)
    shop = work / f"shop_{chosen.users}_{chosen.days}"
    if not shop.exists():
        simulate.simulate(shop, users=chosen.users, days=chosen.days, seed=1, start=first_day)
    landing = work / "landing"
    for folder in (landing, work / "data"):
        shutil.rmtree(folder, ignore_errors=True)
    files = [path for path in sorted(shop.rglob("*")) if path.is_file()]
    late = [path for path in files if LAST_DAY.isoformat() in path.name]

    def land(paths: list[Path]) -> None:
        for path in paths:
            target = landing / path.relative_to(shop)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)

    settings = Settings.resolve(work / "data", landing)
    options = {"top": chosen.top, "whole": False}
    land([path for path in files if path not in late])
    night(settings, "history", LAST_DAY - dt.timedelta(days=1), full_refresh=False, **options)
    land(late)
    options["whole"] = chosen.whole
    one_day = night(settings, "one day", LAST_DAY, full_refresh=False, **options)
    options["whole"] = False
    with connect(settings.warehouse, read_only=True) as connection:
        events, people, affected = connection.execute(
            "select (select count(*) from raw.events),"
            " (select count(distinct user_key) from intermediate.int_identity__identifiers),"
            " (select count(*) from intermediate.int_nights__affected_users)"
        ).fetchone()
    print(f"{events:,} events, {people:,} people, of whom the night takes {affected:,} in")
    if not chosen.no_full:
        full = night(settings, "full refresh", LAST_DAY, full_refresh=True, **options)
        print(f"one day / full refresh: {one_day / full:.3f}")
    if not chosen.work:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
