"""The last good copy of the warehouse, and the way back to it when the file is damaged.

A night that was published leaves a copy of its warehouse in `<data>/last_good/`. What lies in raw
can be loaded again from the landing folder; the fitted versions, the record of the nights and the
tombstones of erased people cannot, so the copy holds everything. When people are erased it is
removed before the new warehouse takes its place.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

from apportion import built, logs, warehouse
from apportion.errors import ApportionError, UsageError
from apportion.settings import Settings

_PARTIAL = ".partial"


def path(settings: Settings) -> Path:
    """Where the copy is."""
    return settings.data / "last_good" / settings.warehouse.name


def keep(settings: Settings) -> str:
    """Copy the warehouse, which nobody has open; the copy before stays until the new one is whole.

    A disk without room for it costs the copy, not the night.

    Returns:
        What to tell people: nothing, or why there is no new copy.
    """
    copy = path(settings)
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = copy.with_name(copy.name + _PARTIAL)
    partial.unlink(missing_ok=True)
    try:
        free, needed = shutil.disk_usage(copy.parent).free, settings.warehouse.stat().st_size
        if free < 2 * needed:
            raise OSError(f"it takes {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")
        with warehouse.connect(settings.warehouse) as connection:
            connection.execute("checkpoint")
        shutil.copyfile(settings.warehouse, partial)
        partial.chmod(0o600)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(copy)
    except (OSError, ApportionError) as error:
        partial.unlink(missing_ok=True)
        logs.LOGGER.warning(logs.line(last_good_copy="not made", why=error))
        return f"; no last good copy of the warehouse could be made: {error}"
    return ""


def forget(settings: Settings) -> None:
    """Remove the copy, and damaged files set aside: who is in them is to be nowhere."""
    if path(settings).parent.exists():
        shutil.rmtree(path(settings).parent)
    for aside in settings.data.glob(f"{settings.warehouse.stem}.damaged-*"):
        aside.unlink()


def restore(settings: Settings, *, from_landing: bool) -> str:
    """Put the last good copy, or nothing, in the place of a warehouse that is damaged.

    The damaged file stays beside. What landed since is loaded by the next night.

    Args:
        settings: where everything is; nobody runs a night.
        from_landing: leave the copy alone; the next night makes a new warehouse.

    Returns:
        What was done, what it costs, and what to do next.

    Raises:
        UsageError: there is no copy, and `from_landing` was not asked for.
        ApportionError: the copy is damaged too.
    """
    copy = path(settings)
    if from_landing:
        aside = _set_aside(settings)
        return (
            f"the warehouse is set aside{aside}. The next night makes a new one of the landing "
            "folder. Lost are the fitted versions (fitted anew), the record of the nights, and the "
            "tombstones of erased people: land their requests again. "
            "next: apportion run --full-refresh"
        )
    if not copy.is_file():
        raise UsageError(
            f"there is no last good copy at {copy}",
            "apportion restore --from-landing loads everything again from the landing folder;"
            " fitted versions, the record of nights and tombstones of erased people are lost",
        )
    run_id = _check(copy)
    partial = settings.warehouse.with_name(settings.warehouse.name + _PARTIAL)
    shutil.copyfile(copy, partial)
    partial.chmod(0o600)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    aside = _set_aside(settings)
    partial.replace(settings.warehouse)
    built.forget(settings)
    return (
        f"the warehouse is that of run {run_id} again{aside}. The next night loads what landed "
        "since, and builds everything. next: apportion run"
    )


def _check(copy: Path) -> str:
    """Read every value of the copy; gives the run that it is of."""
    with warehouse.connect(copy, read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables()")
        for schema, table in tables.fetchall():
            relation = f"{warehouse.identifier(schema)}.{warehouse.identifier(table)}"
            connection.execute(f"select sum(hash(rows)) from {relation} as rows").fetchone()
        row = connection.execute("select max(run_id) from ops.run_log").fetchone()
    if row[0] is None:
        raise ApportionError(f"{copy} is of no night", "apportion restore --from-landing")
    return row[0]


def _set_aside(settings: Settings) -> str:
    """Rename the warehouse and its log; gives the words about it."""
    if not settings.warehouse.exists():
        return ""
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = settings.warehouse.with_name(f"{settings.warehouse.stem}.damaged-{now}.duckdb")
    log = settings.warehouse.with_name(settings.warehouse.name + ".wal")
    settings.warehouse.rename(aside)
    if log.exists():
        log.rename(aside.with_name(aside.name + ".wal"))
    return f"; the old file is {aside.name}: it holds personal data, remove it when it has served"
