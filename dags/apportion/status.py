"""The last nights and their steps, what is slow or stale, what is published, and who is at work."""

from __future__ import annotations

import datetime as dt
import textwrap
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apportion import last_good, lock, logs, publish, warehouse
from apportion.errors import WarehouseBusy
from apportion.night import STEPS
from apportion.progress import output
from apportion.settings import Settings

NIGHTS_SHOWN = 5
# Nights that tell how long a step usually takes, and how many of them it needs to tell.
NIGHTS_OF_HABIT = 20
NIGHTS_TO_KNOW = 5
# A step is slow beyond so many times its median, if that is more than so many seconds longer.
SLOW_TIMES = 3
SLOW_SECONDS = 60
# characters
REASON_SHOWN = 90


@dataclass(frozen=True)
class StepReport:
    """One step of a night, as `ops.run_log` tells it; the last report of a step counts.

    `usual` is the median of the seconds that it took in the nights before; None where it is not
    known yet.
    """

    run_id: str
    step: str
    status: str
    reason: str
    rows: int | None
    seconds: float | None
    at: dt.datetime
    usual: float | None = None

    @property
    def is_slow(self) -> bool:
        """Whether it took far longer than it usually does."""
        return is_slow(self.seconds, self.usual)


@dataclass(frozen=True)
class FailedCheck:
    """One check of a gate that said no; `nights` counts back how many in a row it did."""

    run_id: str
    stage: str
    check: str
    severity: str
    observed: str
    nights: int


@dataclass(frozen=True)
class StaleSource:
    """One data set that is overdue."""

    dataset: str
    last_row_at: dt.datetime | None
    days_overdue: float


@dataclass(frozen=True)
class Record:
    """What is told of the nights."""

    steps: list[StepReport]
    checks: list[FailedCheck]
    stale: list[StaleSource]


def is_slow(seconds: float | None, usual: float | None) -> bool:
    """Whether a step took more than three times its median, and more than a minute longer."""
    if seconds is None or usual is None:
        return False
    return seconds > SLOW_TIMES * usual and seconds > usual + SLOW_SECONDS


def usual_seconds(
    connection: duckdb.DuckDBPyConnection, step: str, run_id: str, schema: str = "ops"
) -> float | None:
    """The median seconds of a step in the nights before a run; None with too few of them."""
    count, seconds = connection.execute(
        "select count(*), median(seconds) from ("
        f"select max(seconds) as seconds from {schema}.run_log"
        " where stage = ? and run_id < ? and status = 'done' group by run_id"
        " order by run_id desc limit ?)",
        [step, run_id, NIGHTS_OF_HABIT],
    ).fetchone()
    return seconds if count >= NIGHTS_TO_KNOW else None


def show(settings: Settings) -> None:
    """Print the state of an installation; while a night runs, the record is the published one."""
    console = output()
    holder = lock.holder(settings)
    published = publish.current_version(settings)
    versions = ", ".join(publish.list_versions(settings)) or "none"
    _say(console, "warehouse", f"{settings.warehouse} ({_size(settings.warehouse)})")
    _say(console, "held by", holder or "nobody")
    _say(console, "published", f"{published or 'nothing yet'} (kept: {versions})")
    sizes = {"versions": settings.versions, "last good": last_good.path(settings).parent}
    sizes |= {"logs": settings.logs, "landing": settings.landing}
    _say(console, "sizes", ", ".join(f"{name} {_size(path)}" for name, path in sizes.items()))
    record, source = _record(settings)
    if source is None:
        _say(console, "nights", "none yet; apportion run makes the first")
        return
    if source != settings.warehouse:
        _say(console, "nights", f"as of the published version: {source}")
    for source_ in record.stale:
        since = f"{source_.last_row_at:%Y-%m-%d %H:%M}" if source_.last_row_at else "never"
        text = f"{source_.dataset}: last row {since}, {source_.days_overdue:.1f} days overdue"
        _say(console, "stale", text)
    for run_id in sorted({step.run_id for step in record.steps}, reverse=True)[:NIGHTS_SHOWN]:
        console.print()
        _show_night(console, [step for step in record.steps if step.run_id == run_id])
        for check in record.checks:
            if check.run_id == run_id:
                again = f", {check.nights} nights in a row" if check.nights > 1 else ""
                text = f"{check.severity} {check.stage}: {check.check} ({check.observed}){again}"
                console.print(f"  {escape(text)}", soft_wrap=True)
        console.print(f"  log: {logs.path(settings, run_id)}", soft_wrap=True)


def _say(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<12}[/] {escape(text)}", soft_wrap=True)


def _size(path: Path) -> str:
    if not path.exists():
        return "not there yet"
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB"


def _record(settings: Settings) -> tuple[Record, Path | None]:
    """The record of the nights and the file that it was read from: the warehouse if it is free."""
    if settings.warehouse.exists():
        try:
            with warehouse.connect(settings.warehouse, read_only=True, sealed=True) as connection:
                return _read(connection, "ops"), settings.warehouse
        except WarehouseBusy:
            pass  # Said by "held by"; the published version tells of the nights before.
    file = settings.published / publish.DATABASE
    if file.exists():
        with warehouse.connect(file, read_only=True, sealed=True) as connection:
            return _read(connection, "marts"), file
    return Record([], [], []), None


def _read(connection: duckdb.DuckDBPyConnection, schema: str) -> Record:
    tables = {
        table
        for (table,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = ?", [schema]
        ).fetchall()
    }
    if not {"run_log", "quality_results", "source_freshness"} <= tables:
        return Record([], [], [])
    latest = f"(select distinct run_id from {schema}.run_log order by 1 desc limit {NIGHTS_SHOWN})"
    steps = connection.execute(
        f'select run_id, stage, status, reason, "rows", seconds, "at" from {schema}.run_log'
        f" where run_id in {latest}"
        ' qualify row_number() over (partition by run_id, stage order by "at" desc) = 1'
    ).fetchall()
    # A check fails in a row since the last night that judged it and was content.
    checks = connection.execute(
        f"""
        with judged as (
            select
                *,
                sum(case when success then 1 else 0 end) over (
                    partition by stage, "check" order by run_id
                ) as successes
            from {schema}.quality_results
        )
        select
            run_id, stage, "check", severity, observed,
            row_number() over (partition by stage, "check", successes order by run_id)
        from judged
        where not success
        qualify run_id in {latest}
        order by severity, stage, 3
        """
    ).fetchall()
    stale = connection.execute(
        f"select dataset, last_row_at, days_overdue from {schema}.source_freshness"
        " where status = 'stale'"
        f' and run_id = (select max_by(run_id, "at") from {schema}.source_freshness)'
        " order by dataset"
    ).fetchall()
    reports = [
        StepReport(*row, usual=usual_seconds(connection, row[1], row[0], schema)) for row in steps
    ]
    return Record(
        reports, [FailedCheck(*row) for row in checks], [StaleSource(*row) for row in stale]
    )


def _show_night(console: Console, steps: list[StepReport]) -> None:
    order = {step.name: number for number, step in enumerate(STEPS)}
    steps = sorted(steps, key=lambda step: order.get(step.step, len(order)))
    bad = [step for step in steps if step.status != "done"]
    verdict = f"{bad[0].step} {bad[0].status}" if bad else f"{len(steps)} of {len(STEPS)} done"
    seconds = sum(step.seconds or 0 for step in steps)
    console.print(f"[bold]{steps[0].run_id}[/]: {verdict}, {seconds:.0f} s in steps")
    table = Table(box=None, pad_edge=False)
    table.add_column("step")
    table.add_column("status")
    table.add_column("seconds", justify="right")
    table.add_column("usual", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("what")
    for step in steps:
        table.add_row(
            step.step,
            step.status,
            f"{step.seconds:.1f}{' SLOW' if step.is_slow else ''}"
            if step.seconds is not None
            else "",
            f"{step.usual:.1f}" if step.usual is not None else "",
            f"{step.rows:,}" if step.rows is not None else "",
            escape(textwrap.shorten(step.reason, REASON_SHOWN, placeholder=" ...")),
        )
    console.print(table)
