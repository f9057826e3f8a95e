"""What loading and staging cost, against DuckDB merely reading the same files: `make bench-load`.

10 million events of the simulated shop. CPU seconds of a process of its own each, on all cores, and
its largest memory:

- Parquet: land, type, deduplicate, and give channel and device (with all that the models of events
  need, so with identity too), against `create table as select *` and one sort by event_id.
- JSON lines and CSV of a month: land and type, against `create table as select *`.
- The same folder once more.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import pyarrow
from rich.console import Console
from rich.table import Table

from apportion import load, transform, warehouse
from apportion.datasets import DATASETS
from apportion.errors import ApportionError
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.simulate import simulate

FOLDER = PROJECT / "data" / "bench"
USERS, DAYS, SEED = 24_000, 365, 1
START = dt.date(2025, 11, 1)
MONTH = "2026-01"
PARTS = 12
# times the CPU of DuckDB; bytes
MOST_CPU, MOST_MEMORY = 3.0, 8 * 1024**3
MEMORY_LIMIT = "6GB"


def write_inputs() -> None:
    """Simulate the shop and write its events in each format, unless they are there."""
    done = FOLDER / "done.json"
    wanted = json.dumps([USERS, DAYS, SEED, START.isoformat(), MONTH, PARTS])
    if done.is_file() and done.read_text() == wanted:
        return
    print(f"simulating {USERS:,} users over {DAYS} days; this takes some minutes, once", flush=True)
    simulate(FOLDER / "shop" / "landing", users=USERS, days=DAYS, seed=SEED, start=START)
    shop = FOLDER / "shop" / "landing" / "events"
    for name in ("parquet", "jsonl", "csv"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        (FOLDER / name / "events").mkdir(parents=True)
    with (FOLDER / "jsonl" / "events" / "month.jsonl").open("wb") as month:
        for path in sorted(shop.glob(f"{MONTH}-*.jsonl.gz")):
            with pyarrow.input_stream(str(path), compression="gzip") as packed:
                shutil.copyfileobj(packed, month)
    columns = ", ".join(f"'{c.name}': '{c.sql_type}'" for c in DATASETS["events"].columns)
    with warehouse.connect(FOLDER / "inputs.duckdb") as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(
            f"create or replace table events as from read_json('{shop}/*.jsonl.gz',"
            f" columns={{{columns}}}, format='newline_delimited', ignore_errors=true)"
        )
        rows = connection.execute("select count(*) from events").fetchone()[0]
        for part in range(PARTS):
            first, last = rows * part // PARTS, rows * (part + 1) // PARTS
            connection.execute(
                f"copy (from events where rowid >= {first} and rowid < {last})"
                f" to '{FOLDER}/parquet/events/{part:02}.parquet' (format parquet)"
            )
        connection.execute(
            f"copy (from events where rowid < {rows // PARTS})"
            f" to '{FOLDER}/csv/events/month.csv' (format csv, header)"
        )
    (FOLDER / "inputs.duckdb").unlink()
    done.write_text(wanted)


def read(scan: str, *more: str) -> None:
    """DuckDB alone: the files as a table, and what more is asked."""
    file = FOLDER / "read.duckdb"
    file.unlink(missing_ok=True)
    with warehouse.connect(file) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"create table landed as select * from {scan}")
        for statement in more:
            connection.execute(statement)
    file.unlink()


def installation(name: str) -> Settings:
    """Where a format is landed."""
    return Settings(FOLDER / f"{name}.data", FOLDER / name)


def land(name: str) -> None:
    """The first load of a format."""
    settings = installation(name)
    shutil.rmtree(settings.data, ignore_errors=True)
    load.load(Night(settings))


def land_again(name: str) -> None:
    """Another load of the same folder, which must find nothing to do."""
    said = load.load(Night(installation(name)))
    if not said.startswith("0 files, 0 rows, 0 quarantined"):
        raise ApportionError(f"the second load did something: {said}")


def land_and_stage(name: str) -> None:
    """Load a format, build the models of events, and read what they give each event."""
    land(name)
    settings = installation(name)
    arguments = ["build", "--exclude-resource-type", "test", "unit_test", "--select"]
    result = transform.invoke(settings, [*arguments, "+int_events__classified"], quiet=True)
    if not result.success:
        raise ApportionError(f"the models of events do not build: {result.exception}")
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(
            "create table main.assigned as select event_id, channel, device_type"
            " from intermediate.int_events__classified"
        )


READ_JSON = "ignore_errors=true, format='newline_delimited'"
MEASURES: dict[str, Callable[[], None]] = {
    "read parquet": lambda: read(
        f"read_parquet('{FOLDER}/parquet/events/*.parquet')",
        "create table sorted as select * from landed order by event_id",
    ),
    "stage parquet": lambda: land_and_stage("parquet"),
    "again parquet": lambda: land_again("parquet"),
    "read jsonl": lambda: read(f"read_json('{FOLDER}/jsonl/events/*.jsonl', {READ_JSON})"),
    "load jsonl": lambda: land("jsonl"),
    "read csv": lambda: read(f"read_csv('{FOLDER}/csv/events/*.csv')"),
    "load csv": lambda: land("csv"),
}
RATIOS = (
    ("parquet: land and stage", "stage parquet", "read parquet"),
    ("jsonl: land", "load jsonl", "read jsonl"),
    ("csv: land", "load csv", "read csv"),
)


def measured(name: str) -> dict[str, float]:
    """CPU seconds, wall seconds and largest memory of one measure, in a process of its own."""
    print(f"{name} ...", flush=True)
    done = subprocess.run(
        [sys.executable, __file__, name], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str) -> None:
    """Do one measure here and print what it cost."""
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF)
    MEASURES[name]()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps({"cpu": cpu, "wall": time.monotonic() - began, "memory": after.ru_maxrss * 1024})
    )


def main() -> int:
    """Measure everything and print the ratios; 1 where one is beyond its limit."""
    write_inputs()
    costs = {name: measured(name) for name in MEASURES}
    table = Table(box=None, pad_edge=False)
    for column in ("", "CPU s", "DuckDB alone", "ratio", "at most", "wall s", "memory GiB"):
        table.add_column(column, justify="right" if column else "left")
    is_within = True
    for label, ours, theirs in RATIOS:
        cost, ratio = costs[ours], costs[ours]["cpu"] / costs[theirs]["cpu"]
        is_within = is_within and ratio <= MOST_CPU and cost["memory"] <= MOST_MEMORY
        table.add_row(
            label, f"{cost['cpu']:.1f}", f"{costs[theirs]['cpu']:.1f}", f"{ratio:.2f}",
            f"{MOST_CPU:.2f}", f"{cost['wall']:.1f}", f"{cost['memory'] / 1024**3:.1f}",
        )  # fmt: skip
    again = costs["again parquet"]
    table.add_row("parquet: the same folder again", f"{again['cpu']:.1f}", "", "", "",
                  f"{again['wall']:.1f}", f"{again['memory'] / 1024**3:.1f}")  # fmt: skip
    Console(width=110).print(table)
    return 0 if is_within else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        sys.exit(main())
