"""What the stages were last built from, so that a night without news builds nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

from apportion import warehouse
from apportion.night import Night
from apportion.settings import PROJECT, Settings

# What decides the content of a table besides the data; tests only judge it, but a new one must run.
_CODE = ("dbt_project.yml", "profiles.yml", "selectors.yml", "models", "macros", "seeds", "tests")
_SUFFIXES = {".sql", ".yml", ".csv"}


def digest(night: Night, stage: str) -> str:
    """A digest of what a stage's tables follow from: code, vars, clock, released files, fits.

    Args:
        night: the run; its load and its gate of raw are over.
        stage: name of a selector in selectors.yml.
    """
    parts = [
        stage,
        _code(PROJECT),
        json.dumps(night.settings.input_vars(), sort_keys=True, default=str),
    ]
    with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
        for query in (
            "select as_of from ops.clock",
            "select files.file_seq, files.batch_id from raw._files as files"
            " inner join raw._batches as batches using (batch_id)"
            " where files.status = 'loaded' and batches.status = 'released' order by all",
        ):
            parts.append(repr(connection.execute(query).fetchall()))
        if stage == "marts":
            fitted = connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'ml' order by all"
            ).fetchall()
            for (table,) in fitted:
                name = warehouse.identifier(table)
                rows = connection.execute(f"select * from ml.{name} order by all").fetchall()
                parts.append(f"{table}{rows!r}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def run_of(settings: Settings, stage: str, wanted: str) -> str | None:
    """The run that built the stage from exactly this, or None where it must be built."""
    with warehouse.connect(settings.warehouse) as connection:
        prepare(connection)
        row = connection.execute(
            "select run_id from ops.built_stages where stage = ? and digest = ?", [stage, wanted]
        ).fetchone()
    return row[0] if row else None


def forget(settings: Settings, stage: str | None = None) -> None:
    """Before a stage is built, or the tables are touched by hand: what they hold is not known."""
    with warehouse.connect(settings.warehouse) as connection:
        prepare(connection)
        connection.execute("delete from ops.built_stages where stage = coalesce(?, stage)", [stage])


def remember(night: Night, stage: str, built_from: str) -> None:
    """After a stage was built without an error and every test of it passed."""
    with warehouse.connect(night.settings.warehouse) as connection:
        connection.execute(
            "insert into ops.built_stages (stage, digest, run_id) values (?, ?, ?)",
            [stage, built_from, night.run_id],
        )


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table that this module keeps, if it is not there."""
    connection.execute("create schema if not exists ops")
    connection.execute(
        "create table if not exists ops.built_stages"
        " (stage varchar, digest varchar, run_id varchar)"
    )


def _code(project: Path) -> str:
    """A digest of the project's SQL, yml and seeds, by path and content."""
    summed = hashlib.sha256()
    for name in _CODE:
        root = project / name
        paths = [root] if root.is_file() else sorted(root.rglob("*"))
        for path in paths:
            if path.suffix in _SUFFIXES and path.is_file():
                summed.update(str(path.relative_to(project)).encode() + b"\0")
                summed.update(path.read_bytes() + b"\0")
    return summed.hexdigest()
