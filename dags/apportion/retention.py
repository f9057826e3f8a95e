"""What is older than it may be kept: rows of raw, rows of the quarantine, logs.

A row that is gone from raw is gone from every table: a night that took rows out of built files
builds everything anew, as a full refresh does, and writes the warehouse file anew too. So that not
every night does, rows go in steps: when the first is `retention_days` old, all that are older than
that less `retention_step_days` go with it. The ledger keeps the files, so nothing is loaded again.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apportion import built, erasure, ledger, logs, suites, warehouse
from apportion.datasets import DATASETS
from apportion.errors import UsageError
from apportion.settings import Settings
from apportion.warehouse import identifier

if TYPE_CHECKING:
    import duckdb

    from apportion.night import Night

# Data sets without a time of their own go with the rows that they belong to.
FOLLOWERS = {"order_items": ("orders", "order_id")}
_SECONDS_OF_DAY = 86400


def apply(night: Night) -> str:
    """After a load: take out what may be kept no longer.

    Args:
        night: the run; its clock is set.

    Returns:
        What was done, to be added to the line of the step; empty where nothing was.

    Raises:
        UsageError: a var of the retention is not what it must be.
    """
    settings = night.settings
    values = suites.variables(settings)
    days, step = limits(values, settings)
    _remove_logs(settings, values["log_retention_days"])
    gone: dict[str, int] = {}
    files: list[int] = []
    with warehouse.connect(settings.warehouse) as connection:
        built.prepare(connection)
        with ledger.transaction(connection):
            (now,) = connection.execute(
                # A date in the future, typed by mistake, must not empty the warehouse.
                "select least(as_of, ?::timestamp) from ops.clock",
                [ledger.utc_now()],
            ).fetchone()
            connection.execute(
                "create or replace temp table expired (dataset varchar, file_seq bigint)"
            )
            for dataset, limit in days.items():
                _expire(connection, dataset, now, limit, step)
            _expire_quarantine(connection, values["quarantine_retention_days"])
            for dataset, rows in connection.execute(
                "select dataset, count(*) from expired group by all order by all"
            ).fetchall():
                gone[dataset] = rows
            files = [
                file_seq
                for (file_seq,) in connection.execute(
                    "select distinct file_seq from expired inner join ops.built_files"
                    " using (file_seq) where dataset <> 'quarantine'"
                ).fetchall()
            ]
            if files:
                # In the same transaction: no night takes what is left for what was built.
                connection.execute("delete from ops.built_stages")
                connection.execute("delete from ops.built_clock")
                erasure.drop_built(connection)
            emptied = _emptied(connection)
    if files:
        erasure.compact(settings)
    removed = _remove_landed(emptied) if values["retention_removes_landed_files"] else 0
    if not gone:
        return ""
    logs.LOGGER.info(logs.line(event="expired", rebuilt=bool(files), landed_files=removed, **gone))
    told = ", ".join(f"{rows:,} of {dataset}" for dataset, rows in gone.items())
    return f", older than may be kept: {told}" + (
        f"; {removed:,} landed files removed" if removed else ""
    )


def limits(values: Mapping[str, Any], settings: Settings) -> tuple[dict[str, float], float]:
    """The vars retention_days and retention_step_days.

    Raises:
        UsageError: a data set has no time by which its rows could go, or a number is too small.
    """
    days, step = values["retention_days"], values["retention_step_days"]
    timed = [name for name, dataset in DATASETS.items() if dataset.occurrence]
    is_well = (
        isinstance(days, dict)
        and isinstance(step, int | float)
        and all(
            name in timed and isinstance(limit, int | float) and limit > step > 0
            for name, limit in days.items()
        )
    )
    if not is_well:
        raise UsageError(
            f"retention_days is a number of days, more than retention_step_days ({step}), per data"
            f" set with a time ({', '.join(timed)}), not {days}",
            f"mend dbt_project.yml, or {settings.landing / 'vars.yml'}",
        )
    return days, step


def _expire(
    connection: duckdb.DuckDBPyConnection, dataset: str, now: dt.datetime, limit: float, step: float
) -> None:
    """Delete the rows of one data set that are too old, once the first has reached the limit."""
    moment = f"coalesce(cast({identifier(DATASETS[dataset].occurrence)} as timestamp), _loaded_at)"
    relation = f"raw.{identifier(dataset)}"
    oldest = connection.execute(f"select min({moment}) from {relation}").fetchone()[0]
    if oldest is None or oldest >= now - dt.timedelta(days=limit):
        return
    before = now - dt.timedelta(days=limit - step)
    keys = {follower: key for follower, (leader, key) in FOLLOWERS.items() if leader == dataset}
    for key in keys.values():
        connection.execute(
            f"create or replace temp table expired_keys as select distinct {key} from {relation}"
            f" where {moment} < ? except select {key} from {relation} where {moment} >= ?",
            [before, before],
        )
    _delete(connection, dataset, f"{moment} < ?", [before])
    for follower, key in keys.items():
        _delete(connection, follower, f"{key} in (from expired_keys)", [])


def _delete(
    connection: duckdb.DuckDBPyConnection, dataset: str, condition: str, values: list[Any]
) -> None:
    """Delete rows of raw, note their files, and keep the ledger's sums true."""
    relation = f"raw.{identifier(dataset)}"
    connection.execute(
        f"insert into expired select '{dataset}', _file_seq from {relation} where {condition}",
        values,
    )
    connection.execute(f"delete from {relation} where {condition}", values)
    connection.execute(
        "update raw._files set rows_loaded = rows_loaded - gone.rows,"
        " rows_in_file = rows_in_file - gone.rows from"
        " (select file_seq, count(*) as rows from expired where dataset = ? group by file_seq)"
        " as gone where raw._files.file_seq = gone.file_seq",
        [dataset],
    )


def _expire_quarantine(connection: duckdb.DuckDBPyConnection, days: float) -> None:
    """Delete quarantined rows whose time to be mended is over; files that failed whole stay."""
    before = ledger.utc_now() - dt.timedelta(days=days)
    old = "line is not null and quarantined_at < ?"
    connection.execute(
        f"insert into expired select 'quarantine', file_seq from raw._quarantine where {old}",
        [before],
    )
    connection.execute(f"delete from raw._quarantine where {old}", [before])
    connection.execute(
        "update raw._files set rows_quarantined = rows_quarantined - gone.rows,"
        " rows_in_file = rows_in_file - gone.rows from"
        " (select file_seq, count(*) as rows from expired where dataset = 'quarantine'"
        " group by file_seq) as gone where raw._files.file_seq = gone.file_seq"
    )


def _emptied(connection: duckdb.DuckDBPyConnection) -> list[Path]:
    """Landed files of which the retention has left no row, and their copies."""
    return [
        Path(path)
        for (path,) in connection.execute(
            "select path from raw._files where file_seq in (select file_seq from expired)"
            " and rows_in_file = 0 and status = 'loaded' union"
            " select copies.path from raw._files as copies inner join raw._files as owners"
            " on copies.duplicate_of = owners.path and copies.dataset = owners.dataset"
            " where owners.file_seq in (select file_seq from expired)"
            " and owners.rows_in_file = 0 order by all"
        ).fetchall()
    ]


def _remove_landed(paths: list[Path]) -> int:
    removed = 0
    for path in paths:
        if path.is_file():
            path.unlink()
            removed += 1
    return removed


def _remove_logs(settings: Settings, days: float) -> None:
    """Remove the logs of runs that are long over, Airflow's and dbt's too."""
    before = time.time() - days * _SECONDS_OF_DAY
    for path in settings.logs.rglob("*"):
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink()
