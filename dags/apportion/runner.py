"""Runs the steps of a night: lock, time, log, and the record in `ops.run_log`."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from apportion import alerts, lock, logs, warehouse
from apportion.errors import ApportionError, GateFailed, UsageError
from apportion.night import STEPS, Night, Step
from apportion.progress import Progress
from apportion.settings import PRIVATE, Settings

if TYPE_CHECKING:
    import duckdb

# The schemas that a step fills: their rows are what ops.run_log counts.
_FILLS = {
    "load": "raw",
    "build_intermediate": "intermediate",
    "score": "ml",
    "build_marts": "marts",
}


def check(night: Night) -> None:
    """Look before the leap: is there anything to read?

    Raises:
        UsageError: the landing folder does not exist, is not a folder, or holds nothing while the
            warehouse holds nothing either.
    """
    landing = night.settings.landing
    bundled = "apportion run --dataset complete_journey runs the bundled data set"
    if not landing.is_dir():
        what = "is not a folder" if landing.exists() else "does not exist"
        raise UsageError(f"the landing folder {landing} {what}", f"give --landing; {bundled}")
    files = (path for folder in landing.iterdir() if folder.is_dir() for path in folder.rglob("*"))
    if not any(path.is_file() for path in files) and not night.settings.warehouse.exists():
        raise UsageError(
            f"the landing folder {landing} is empty: no file in any <dataset>/ folder",
            f"put files at {landing}/<dataset>/, e.g. {landing}/events/today.jsonl; {bundled}",
        )
    night.settings.input_vars()


def run(night: Night, progress: Progress, steps: Sequence[Step] = STEPS) -> None:
    """Run all steps in this process.

    Raises:
        ApportionError: the first failure; the steps after it did not run.
    """
    check(night)
    with lock.hold(night.settings, night.run_id):
        for step in steps:
            progress.started(step.name)
            began = time.monotonic()
            try:
                said = run_step(night, step)
            except BaseException:
                progress.failed(step.name, time.monotonic() - began)
                raise
            progress.done(step.name, time.monotonic() - began, said)


def run_step(night: Night, step: Step) -> str:
    """Run one step under the lock, log it, and record it in `ops.run_log`.

    Returns:
        One line of what the step did.

    Raises:
        ApportionError: as the step raised it, after it was recorded.
    """
    with lock.hold(night.settings, night.run_id), logs.recording(night.settings, night.run_id):
        logs.LOGGER.info(logs.line(event="started", step=step.name))
        began = time.monotonic()
        try:
            said = _run(night, step)
            seconds = time.monotonic() - began
            _record(night, step, "done", said, seconds)
        except BaseException as error:
            _tell_failure(night, step, error, time.monotonic() - began)
            raise
        logs.LOGGER.info(
            logs.line(event="done", step=step.name, seconds=f"{seconds:.3f}", said=said)
        )
        _tell_slowness(night, step, seconds)
        return said


def _run(night: Night, step: Step) -> str:
    """Run a step; what the file system refuses is told as such."""
    try:
        return step.run(night)
    except OSError as error:
        raise ApportionError(
            f"a file cannot be read or written: {error}",
            "make room on the disk, or mend the rights (apportion doctor says which);"
            f" then: apportion run --data {night.settings.data}",
        ) from error


def run_task(step: Step, params: Mapping[str, object], run_after: dt.datetime) -> str:
    """Run one step as a task of the DAG.

    Args:
        step: the step.
        params: the DAG's params; what is null comes from the environment, else from the default.
        run_after: when the DAG run could begin: what names a run that was given no name, equal for
            all its tasks and their retries.
    """
    os.umask(PRIVATE)
    night = Night(
        Settings.resolve(params["data"], params["landing"]),
        params["run_id"] or run_after.strftime("%Y%m%dT%H%M%S%fZ"),
        dt.date.fromisoformat(params["date"]) if params["date"] else None,
        bool(params["full_refresh"]),
    )
    return run_step(night, step)


def failure(night: Night) -> ApportionError | None:
    """The failure that the night's log ends with, as the error that it was; None if it does not."""
    last = ([{}, *events(night)])[-1]
    if last.get("event") != "failed":
        return None
    error = ApportionError(f"{last['step']}: {last['what']}", last["next_step"])
    error.exit_status = int(last["exit_status"])
    return error


def events(night: Night) -> list[dict[str, str]]:
    """What the night's log says so far: one mapping per step started, done or failed."""
    path = logs.path(night.settings, night.run_id)
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    complete = text[: text.rfind("\n") + 1]
    lines = map(logs.parse, complete.splitlines())
    return [fields for fields in lines if {"event", "step"} <= fields.keys()]


def _tell_failure(night: Night, step: Step, error: BaseException, seconds: float) -> None:
    """Log a failure and record it; where it cannot be recorded, the log says so."""
    told = isinstance(error, ApportionError)
    what = error.what if told else f"unexpected {type(error).__name__}: {error}"
    logs.LOGGER.error(
        logs.line(
            event="failed",
            step=step.name,
            seconds=f"{seconds:.3f}",
            exit_status=error.exit_status if told else ApportionError.exit_status,
            what=what,
            next_step=error.next_step
            if told
            else f"read {logs.path(night.settings, night.run_id)}",
        ),
        exc_info=None if told else error,
    )
    if isinstance(error, Exception):
        # What was not foreseen may quote a row.
        told_what = (
            f"{what}\nnext: {error.next_step}" if told else f"unexpected {type(error).__name__}"
        )
        alerts.send(night.run_id, f"{step.name} failed: {told_what}")
    if not night.settings.warehouse.exists():
        return
    status = "stopped" if isinstance(error, GateFailed) else "failed"
    try:
        _record(night, step, status, what, seconds)
    except Exception as second:
        logs.LOGGER.warning(logs.line(note="not recorded in ops.run_log", why=second))


def _tell_slowness(night: Night, step: Step, seconds: float) -> None:
    """Tell people of a step that took far longer than it usually does."""
    from apportion import status

    try:
        with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
            usual = status.usual_seconds(connection, step.name, night.run_id)
    except ApportionError as error:
        # The step is done all the same.
        logs.LOGGER.warning(logs.line(note="its usual time is not known", why=error))
        return
    if status.is_slow(seconds, usual):
        text = (
            f"{step.name} took {seconds:,.0f} s; the median of the nights before is {usual:,.0f} s"
        )
        logs.LOGGER.warning(logs.line(event="slow", what=text))
        alerts.send(
            night.run_id,
            f"{text}\nnext: apportion status; a rebuild of everything is told in the step's line,"
            " else look who shares the machine, and at the size of what landed",
        )


def _record(night: Night, step: Step, status: str, reason: str, seconds: float) -> None:
    from apportion import load

    with warehouse.connect(night.settings.warehouse) as connection:
        load.prepare(connection, night.settings)
        connection.execute(
            'insert into ops.run_log (run_id, stage, status, reason, "rows", "at", seconds)'
            " values (?, ?, ?, ?, ?, ?, ?)",
            [
                night.run_id,
                step.name,
                status,
                reason,
                _rows(connection, step),
                dt.datetime.now(dt.UTC).replace(tzinfo=None),
                round(seconds, 3),
            ],
        )


def _rows(connection: duckdb.DuckDBPyConnection, step: Step) -> int | None:
    if step.name not in _FILLS:
        return None
    schema = _FILLS[step.name]
    tables = connection.execute(
        "select table_name from duckdb_tables()"
        " where schema_name = ? and not starts_with(table_name, '_')",
        [schema],
    ).fetchall()
    return sum(
        connection.execute(
            f"select count(*) from {schema}.{warehouse.identifier(table)}"
        ).fetchone()[0]
        for (table,) in tables
    )
