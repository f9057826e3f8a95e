"""The last nights and their steps, what is published, and who holds the warehouse."""

from __future__ import annotations

import datetime as dt
import textwrap
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apportion import lock, logs, publish, warehouse
from apportion.errors import WarehouseBusy
from apportion.night import STEPS
from apportion.progress import output
from apportion.settings import Settings

NIGHTS_SHOWN = 5
# characters
REASON_SHOWN = 90


@dataclass(frozen=True)
class StepReport:
    """One step of a night, as `ops.run_log` tells it; the last report of a step counts."""

    run_id: str
    step: str
    status: str
    reason: str
    rows: int | None
    seconds: float | None
    at: dt.datetime


@dataclass(frozen=True)
class FailedCheck:
    """One check of a gate that said no."""

    run_id: str
    stage: str
    check: str
    severity: str
    observed: str


def show(settings: Settings) -> None:
    """Print the state of an installation; while a night runs, the record is the published one."""
    console = output()
    holder = lock.holder(settings)
    published = publish.current_version(settings)
    versions = ", ".join(publish.list_versions(settings)) or "none"
    _say(console, "warehouse", f"{settings.warehouse} ({_size(settings.warehouse)})")
    _say(console, "held by", holder or "nobody")
    _say(console, "published", f"{published or 'nothing yet'} (kept: {versions})")
    steps, checks, source = _record(settings)
    if source is None:
        _say(console, "nights", "none yet; apportion run makes the first")
        return
    if source != settings.warehouse:
        _say(console, "nights", f"as of the published version: {source}")
    for run_id in sorted({step.run_id for step in steps}, reverse=True)[:NIGHTS_SHOWN]:
        console.print()
        _show_night(console, [step for step in steps if step.run_id == run_id])
        for check in checks:
            if check.run_id == run_id:
                text = f"{check.severity} {check.stage}: {check.check} ({check.observed})"
                console.print(f"  {escape(text)}", soft_wrap=True)
        console.print(f"  log: {logs.path(settings, run_id)}", soft_wrap=True)


def _say(console: Console, name: str, text: str) -> None:
    console.print(f"[bold]{name:<12}[/] {escape(text)}", soft_wrap=True)


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB" if path.exists() else "not there yet"


def _record(
    settings: Settings,
) -> tuple[list[StepReport], list[FailedCheck], Path | None]:
    """The record of the nights and the file that it was read from: the warehouse if it is free."""
    if settings.warehouse.exists():
        try:
            with warehouse.connect(settings.warehouse, read_only=True) as connection:
                return *_read(connection, "ops"), settings.warehouse
        except WarehouseBusy:
            pass  # Said by "held by"; the published version tells of the nights before.
    file = settings.published / publish.DATABASE
    if file.exists():
        with warehouse.connect(file, read_only=True) as connection:
            return *_read(connection, "marts"), file
    return [], [], None


def _read(
    connection: duckdb.DuckDBPyConnection, schema: str
) -> tuple[list[StepReport], list[FailedCheck]]:
    tables = {
        table
        for (table,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = ?", [schema]
        ).fetchall()
    }
    if not {"run_log", "quality_results"} <= tables:
        return [], []
    latest = f"(select distinct run_id from {schema}.run_log order by 1 desc limit {NIGHTS_SHOWN})"
    steps = connection.execute(
        f'select run_id, stage, status, reason, "rows", seconds, "at" from {schema}.run_log'
        f" where run_id in {latest}"
        ' qualify row_number() over (partition by run_id, stage order by "at" desc) = 1'
    ).fetchall()
    checks = connection.execute(
        f'select run_id, stage, "check", severity, observed from {schema}.quality_results'
        f" where not success and run_id in {latest}"
        " order by severity, stage, 3"
    ).fetchall()
    return [StepReport(*row) for row in steps], [FailedCheck(*row) for row in checks]


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
    table.add_column("rows", justify="right")
    table.add_column("what")
    for step in steps:
        table.add_row(
            step.step,
            step.status,
            f"{step.seconds:.1f}" if step.seconds is not None else "",
            f"{step.rows:,}" if step.rows is not None else "",
            escape(textwrap.shorten(step.reason, REASON_SHOWN, placeholder=" ...")),
        )
    console.print(table)
