"""Publishing: a version folder that is written aside, checked, and switched to in one rename.

People read `<data>/published`, a relative symlink to `<data>/versions/<run_id>/`. A version is
complete before it is called by its name, and never changes afterwards. A run that is killed at any
instruction leaves the old version published, and a `.partial` folder or link that the next run
removes.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from apportion import (
    __version__,
    data_docs,
    last_good,
    logs,
    model_docs,
    report,
    semantic_layer,
    suites,
    warehouse,
)
from apportion.errors import ApportionError, GateFailed, UsageError, WarehouseBusy
from apportion.night import Night
from apportion.settings import PROJECT, Settings

DATABASE = "apportion.duckdb"
MANIFEST = "manifest.json"
# Clients from DuckDB 1.0 on open files of this version.
STORAGE_VERSION = "v1.0.0"
VERSIONS_KEPT = 3
PARTIAL = ".partial"
# Relative difference that a parallel sum of doubles may have.
TOLERANCE = 1e-9
JUDGED_STAGES = ("staging", "intermediate", "marts")


def publish(night: Night) -> str:
    """Write, check and switch to a version with every table of schema marts.

    Args:
        night: the run; its gates must have said yes, and no later run may have begun.

    Returns:
        One line: tables, rows, size, where it is.

    Raises:
        GateFailed: this run is not the one that the gates let through.
        WarehouseBusy: another process holds the warehouse, or is publishing.
        ApportionError: no room, or the version differs from the warehouse. The old version stays.
    """
    settings = night.settings
    with _alone(settings):
        _clean(settings)
        _require_green(settings, night.run_id)
        _require_room(settings)
        partial = settings.versions / f"{night.run_id}{PARTIAL}"
        (partial / "parquet").mkdir(parents=True)
        try:
            tables = _write(settings, partial)
            manifest = _write_manifest(night, partial, tables)
            report.build(partial, manifest)
            model_docs.build(settings, partial)
            data_docs.build(settings, night.run_id, partial)
            semantic_layer.build(settings, partial)
            _verify(settings, partial, tables)
            _seal(partial)
        except (duckdb.IOException, OSError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise ApportionError(
                f"the version cannot be written to {settings.versions}: {error}. "
                "The old version stays.",
                "make room or mend the rights there, then: apportion run",
            ) from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        version = _name(settings, partial, night.run_id)
        removed = _prune(settings)
    told = last_good.keep(settings)
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    rows = sum(tables.values())
    logs.LOGGER.info(logs.line(published=version, tables=len(tables), rows=rows, bytes=size))
    return (
        f"published {len(tables)} tables, {rows:,} rows, {size / 1e6:,.1f} MB: "
        f"{settings.published / DATABASE}"
        + (f"; removed {', '.join(removed)}" if removed else "")
        + told
    )


def rollback(settings: Settings, to: str | None = None) -> str:
    """Switch `published` to an earlier version; the warehouse stays as it is.

    Args:
        settings: where everything is.
        to: name of the version; None: the last one before the one in use.

    Returns:
        One line: from which to which.

    Raises:
        UsageError: there is no such version.
        WarehouseBusy: somebody is publishing.
    """
    with _alone(settings):
        versions, current = list_versions(settings), current_version(settings)
        listed = ", ".join(versions) or "none"
        if to is None:
            earlier = [version for version in versions if current and version < current]
            if not earlier:
                raise UsageError(
                    f"there is no version before {current or 'the first one'} (kept: {listed})",
                    "apportion run makes a new one",
                )
            to = earlier[-1]
        elif to not in versions:
            raise UsageError(
                f"there is no version {to} (kept: {listed})", "apportion rollback --to NAME"
            )
        check_version(settings.versions / to)
        _switch(settings, settings.versions / to)
    logs.LOGGER.info(logs.line(rolled_back_from=current, rolled_back_to=to))
    return f"published is now {to} (was {current}); the next night publishes a new version"


def keep_only_current(settings: Settings) -> list[str]:
    """Remove every version but the one in use, so that nobody can go back to an earlier one.

    Returns:
        The names of those that were removed.

    Raises:
        WarehouseBusy: somebody is publishing.
    """
    with _alone(settings):
        _clean(settings)
        current = current_version(settings)
        old = [version for version in list_versions(settings) if version != current]
        for version in old:
            _remove(settings.versions / version)
    return old


def list_versions(settings: Settings) -> list[str]:
    """Names of the complete versions, oldest first: the run id, numbered if published again."""
    if not settings.versions.is_dir():
        return []
    return sorted(
        path.name
        for path in settings.versions.iterdir()
        if path.is_dir() and path.suffix != PARTIAL and (path / MANIFEST).is_file()
    )


def current_version(settings: Settings) -> str | None:
    """Name of the version in use; None before the first."""
    return settings.published.readlink().name if settings.published.is_symlink() else None


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Only one process at a time changes versions; the kernel frees the lock of one that dies."""
    settings.versions.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.versions / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseBusy(
                f"another process is publishing in {settings.versions}", "try again in a minute"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _clean(settings: Settings) -> None:
    """Remove what a killed run left behind."""
    for path in settings.versions.glob(f"*{PARTIAL}"):
        shutil.rmtree(path)
    _link_aside(settings).unlink(missing_ok=True)


def _require_green(settings: Settings, run_id: str) -> None:
    """The last judged run is this one, its marts were judged, and no critical check failed."""
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        last_run_id, marts_checks, failed = connection.execute(
            """
            select
                -- The last that was written: a clock can go back, rows of a table do not.
                arg_max(run_id, rowid),
                count(*) filter (where run_id = $run_id and stage = 'marts'),
                string_agg("check", ', ' order by "check") filter (
                    where run_id = $run_id and stage in $stages
                    and severity = 'critical' and not success
                )
            from ops.quality_results
            """,
            {"run_id": run_id, "stages": list(JUDGED_STAGES)},
        ).fetchone()
    reason = None
    if failed:
        reason = f"critical checks failed: {failed}"
    elif not marts_checks:
        reason = "its marts were not judged"
    elif last_run_id != run_id:
        reason = f"run {last_run_id} has changed the warehouse since"
    if reason:
        raise GateFailed(f"run {run_id} cannot be published: {reason}", "apportion run")


def _require_room(settings: Settings) -> None:
    """Room for a version as large as the last one or the warehouse, which holds it, and Parquet."""
    needed = 2 * settings.warehouse.stat().st_size
    if settings.published.exists():
        files = settings.published.resolve().rglob("*")
        last = sum(path.stat().st_size for path in files if path.is_file())
        needed = min(needed, 2 * last + 2**26)
    free = shutil.disk_usage(settings.versions).free
    if free < needed:
        raise ApportionError(
            f"a version may need {needed / 1e6:,.0f} MB in {settings.versions}; "
            f"{free / 1e6:,.0f} MB are free",
            "make room there, then: apportion run",
        )


@contextmanager
def _attached(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the warehouse attached read-only under the name that its views use."""
    with warehouse.connect(settings.warehouse, read_only=True):
        pass  # Says who holds it, if somebody does.
    with warehouse.connect(":memory:", beside=settings.warehouse) as connection:
        connection.execute(
            f"attach {warehouse.literal(settings.warehouse)} as {_catalog(settings)} (read_only)"
        )
        yield connection


def _catalog(settings: Settings) -> str:
    return warehouse.identifier(settings.warehouse.stem)


def _tables(connection: duckdb.DuckDBPyConnection, catalog: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            """
            select table_name from information_schema.tables
            where table_catalog = ? and table_schema = 'marts'
            order by table_name
            """,
            [catalog],
        ).fetchall()
    ]


def _write(settings: Settings, partial: Path) -> dict[str, int]:
    """Write the DuckDB file and the Parquet files; gives the rows per table."""
    rows = {}
    with _attached(settings) as connection:
        connection.execute(
            f"attach {warehouse.literal(partial / DATABASE)} as version "
            f"(storage_version '{STORAGE_VERSION}')"
        )
        connection.execute("create schema version.marts")
        for table in _tables(connection, settings.warehouse.stem):
            name = warehouse.identifier(table)
            parquet = warehouse.literal(partial / "parquet" / f"{table}.parquet")
            connection.execute(
                f"create table version.marts.{name} as from {_catalog(settings)}.marts.{name}"
            )
            connection.execute(
                f"copy version.marts.{name} to {parquet} (format parquet, compression zstd)"
            )
            rows[table] = connection.execute(
                f"select count(*) from version.marts.{name}"
            ).fetchone()[0]
        for statement in _comments(settings, connection):
            connection.execute(statement)
        connection.execute("checkpoint version")
        connection.execute("detach version")
    if not rows:
        raise ApportionError("schema marts is empty: there is nothing to publish", "apportion run")
    return rows


def _comments(settings: Settings, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """The descriptions of tables and columns, as dbt knows them, for people who browse the file."""
    path = settings.target / "manifest.json"
    if not path.is_file():
        return
    columns = set(
        connection.execute(
            "select table_name, column_name from duckdb_columns() where database_name = 'version'"
        ).fetchall()
    )
    tables = {table for table, _ in columns}
    for node in json.loads(path.read_text(encoding="utf-8"))["nodes"].values():
        table = node.get("alias")
        if node.get("resource_type") != "model" or node.get("schema") != "marts":
            continue
        if table not in tables:
            continue
        target = f"version.marts.{warehouse.identifier(table)}"
        if description := " ".join(node["description"].split()):
            yield f"comment on table {target} is {warehouse.literal(description)}"
        for column, facts in node["columns"].items():
            description = " ".join(facts["description"].split())
            if description and (table, column) in columns:
                yield (
                    f"comment on column {target}.{warehouse.identifier(column)} "
                    f"is {warehouse.literal(description)}"
                )


def _write_manifest(night: Night, partial: Path, tables: dict[str, int]) -> dict[str, Any]:
    """Say what the version was made of, by which code, and what the gates saw; gives the same."""
    with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
        as_of = connection.execute("select as_of from ops.clock").fetchone()[0]
        inputs = _records(
            connection,
            "select dataset, path, sha256 from raw._files order by dataset, path",
        )
        checks = _records(
            connection,
            """
            select stage, "check", severity, success, observed
            from ops.quality_results
            where run_id = ?
            order by "at", stage, "check"
            """,
            [night.run_id],
        )
    values = suites.variables(night.settings)
    manifest = {
        "run_id": night.run_id,
        "as_of": as_of.isoformat(),
        "published_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "git_commit": _git_commit(),
        "settings": {name: values[name] for name in report.SETTINGS},
        "duckdb": {"written_by": duckdb.__version__, "storage_version": STORAGE_VERSION},
        "inputs": inputs,
        "tables": {table: {"rows": rows} for table, rows in tables.items()},
        "gates": checks,
    }
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def _records(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None
) -> list[dict[str, Any]]:
    cursor = connection.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _git_commit() -> str | None:
    """The commit of the project, with '+' where files differ from it; None outside a checkout."""
    if not (PROJECT / ".git").exists():
        return None
    try:
        commit, changes = (
            subprocess.run(
                ["git", "--no-optional-locks", "-C", str(PROJECT), *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changes else "")


def _verify(settings: Settings, partial: Path, tables: dict[str, int]) -> None:
    """Reopen what was written: rows and sums of all amounts are those of the warehouse.

    Raises:
        ApportionError: they are not.
    """
    with _attached(settings) as connection:
        connection.execute(f"attach {warehouse.literal(partial / DATABASE)} as version (read_only)")
        if list(tables) != (written := _tables(connection, "version")):
            raise _differs(f"its tables are {written}, those of the warehouse {list(tables)}")
        for table in tables:
            name = warehouse.identifier(table)
            sums = _sums(connection, settings, table)
            parquet = warehouse.literal(partial / "parquet" / f"{table}.parquet")
            expected = _totals(connection, f"{_catalog(settings)}.marts.{name}", sums)
            for copy in (f"version.marts.{name}", f"read_parquet({parquet})"):
                found = _totals(connection, copy, sums)
                for column, ours, theirs in zip(["rows", *sums], expected, found, strict=True):
                    if not _equal(ours, theirs):
                        raise _differs(f"{table}.{column} is {theirs} in {copy}, not {ours}")


def _sums(connection: duckdb.DuckDBPyConnection, settings: Settings, table: str) -> list[str]:
    """The columns whose totals are compared: money and credit."""
    return [
        name
        for (name,) in connection.execute(
            """
            select column_name from duckdb_columns()
            where
                database_name = ? and schema_name = 'marts' and table_name = ?
                and (data_type like 'DECIMAL%' or data_type = 'DOUBLE')
            order by column_index
            """,
            [settings.warehouse.stem, table],
        ).fetchall()
    ]


def _totals(
    connection: duckdb.DuckDBPyConnection, relation: str, sums: list[str]
) -> tuple[Any, ...]:
    totals = ["count(*)", *(f"sum({warehouse.identifier(column)})" for column in sums)]
    return connection.execute(f"select {', '.join(totals)} from {relation}").fetchone()


def _equal(ours: Any, theirs: Any) -> bool:
    """Counts and decimals exactly; doubles but for the order of their sum."""
    if isinstance(ours, float) and isinstance(theirs, float):
        both_nan = math.isnan(ours) and math.isnan(theirs)
        return both_nan or math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return ours == theirs


def _differs(how: str) -> ApportionError:
    return ApportionError(
        f"the version that was written differs from the warehouse: {how}. The old version stays.",
        "apportion doctor; then: apportion run",
    )


def _seal(folder: Path) -> None:
    """Make files read-only, and files and folders durable."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_file():
            path.chmod(0o444)
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(settings: Settings, partial: Path, run_id: str) -> Path:
    """Give a finished folder its name, `<run_id>`, and switch to it.

    Where a version of the same run is in use, people may have its path in hand: it stays, and the
    new one is `<run_id>-02`.
    """
    version = settings.versions / run_id
    current = current_version(settings)
    if current and _run_of(settings.versions / current) == run_id:
        number = 2
        while version.exists():
            version = settings.versions / f"{run_id}-{number:02}"
            number += 1
    _remove(version)
    partial.rename(version)
    _sync(settings.versions)
    _switch(settings, version)
    return version


def _run_of(version: Path) -> str:
    return json.loads((version / MANIFEST).read_text(encoding="utf-8"))["run_id"]


def _remove(folder: Path) -> None:
    """Remove a folder; half removed it is no version, because its name goes first."""
    if folder.is_dir():
        doomed = folder.with_name(f"{folder.name}.removed{PARTIAL}")
        folder.rename(doomed)
        shutil.rmtree(doomed)


def _link_aside(settings: Settings) -> Path:
    return settings.data / f"{settings.published.name}{PARTIAL}"


def _switch(settings: Settings, folder: Path) -> None:
    """Point `published` to a folder in one rename: a reader sees the old one or the new one."""
    link = _link_aside(settings)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(folder, settings.data))
    link.replace(settings.published)
    _sync(settings.data)


def check_version(version: Path) -> None:
    """The file of a version opens, and holds the rows that its manifest names.

    Raises:
        ApportionError: it does not.
    """
    manifest = json.loads((version / MANIFEST).read_text(encoding="utf-8"))
    with warehouse.connect(version / DATABASE, read_only=True) as connection:
        for table, facts in manifest["tables"].items():
            relation = f"marts.{warehouse.identifier(table)}"
            rows = connection.execute(f"select count(*) from {relation}").fetchone()[0]
            if rows != facts["rows"]:
                raise ApportionError(
                    f"{version} is damaged: {table} has {rows} rows, not {facts['rows']}",
                    "apportion rollback --to the name of another version",
                )


def _prune(settings: Settings) -> list[str]:
    """Remove all but the latest versions and the one in use; readers that have one open keep it."""
    current = current_version(settings)
    old = [version for version in list_versions(settings)[:-VERSIONS_KEPT] if version != current]
    for version in old:
        _remove(settings.versions / version)
    return old
