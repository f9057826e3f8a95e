"""What the tables were last built from: a night costs what is new, and nothing where nothing is.

A stage whose inputs are all as they were is left alone (`digest`). Else the models take in what
changed since the last night that built the marts, whose state is the tables `ops.built_*`, or
everything where that would not give the same (`must_rebuild`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import duckdb

from apportion import lookups, warehouse
from apportion.datasets import DATASETS
from apportion.night import Night
from apportion.settings import PROJECT, Settings

# What decides the content of a table besides the data; tests only judge it, but a new one must run.
_CODE = ("dbt_project.yml", "profiles.yml", "selectors.yml", "models", "macros", "seeds", "tests")
_SUFFIXES = {".sql", ".yml", ".csv"}
_RELEASED = (
    "select files.file_seq, files.batch_id || '|' || coalesce(files.sha256, '') as content_key"
    " from raw._files as files inner join raw._batches as batches using (batch_id)"
    " where batches.status = 'released'"
)


def digest(night: Night, stage: str) -> str:
    """A digest of what a stage's tables follow from: code, vars, clock, released files, fits.

    Args:
        night: the run; its load and its gate of raw are over.
        stage: name of a selector in selectors.yml.
    """
    parts = [stage, _definitions(night.settings)]
    with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
        for query in ("select as_of from ops.clock", f"{_RELEASED} order by all"):
            parts.append(repr(connection.execute(query).fetchall()))
        if stage == "marts":
            parts.append(_fits(connection, dt.datetime.max))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def run_of(settings: Settings, stage: str, wanted: str) -> str | None:
    """The run that built the stage from exactly this, or None where it must be built."""
    with warehouse.connect(settings.warehouse) as connection:
        prepare(connection)
        row = connection.execute(
            "select run_id from ops.built_stages where stage = ? and digest = ?", [stage, wanted]
        ).fetchone()
    return row[0] if row else None


def begin(night: Night, stage: str, *, everything: bool) -> None:
    """Before a stage is built: until the night's last one is, what the tables hold is not known.

    A night that stops after this leaves its name behind, and the next one rebuilds.
    """
    with warehouse.connect(night.settings.warehouse) as connection:
        prepare(connection)
        connection.execute("begin")
        connection.execute("delete from ops.built_stages where stage = ?", [stage])
        if stage == "intermediate":
            connection.execute(
                "update ops.built_clock set building = ?, everything = ?",
                [night.run_id, everything],
            )
        connection.execute("commit")


def forget(settings: Settings) -> None:
    """Before somebody touches the tables by hand: the next night builds everything."""
    with warehouse.connect(settings.warehouse) as connection:
        prepare(connection)
        connection.execute("begin")
        connection.execute("delete from ops.built_stages")
        connection.execute("delete from ops.built_clock")
        connection.execute("commit")


def must_rebuild(night: Night, stage: str) -> str | None:
    """Why taking in what changed would not leave what a rebuild leaves; None where it would."""
    with warehouse.connect(night.settings.warehouse) as connection:
        prepare(connection)
        state = connection.execute("from ops.built_clock").fetchone()
        if state is None:
            return "nothing is known of the tables"
        as_of, code, fits, building, everything = state
        if building is not None and (building != night.run_id or stage != "marts"):
            return f"run {building} stopped half-way"
        if everything:
            return "the stage before was rebuilt"
        if code != _definitions(night.settings):
            return "the code or its settings changed"
        if connection.execute("select as_of < ? from ops.clock", [as_of]).fetchone() == (True,):
            return "the clock went back"
        if _fits(connection, as_of) != fits:
            return "a fitted input of the past changed"
        (gone,) = connection.execute(
            "select count(*) from ops.built_files"
            f" anti join ({_RELEASED}) as released using (file_seq, content_key)"
        ).fetchone()
        if gone:
            return f"{gone} files were replaced or taken back"
    return None


def remember(night: Night, stage: str, built_from: str) -> None:
    """After a stage was built without an error and every test of it passed; one transaction."""
    with warehouse.connect(night.settings.warehouse) as connection:
        connection.execute("begin")
        connection.execute(
            "insert into ops.built_stages (stage, digest, run_id) values (?, ?, ?)",
            [stage, built_from, night.run_id],
        )
        if stage == "marts":
            _remember_inputs(night.settings, connection)
        connection.execute("commit")


def _remember_inputs(settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Keep what the next night compares with: files, people, types, clock, code and fits."""
    remember_people(connection)
    _replace(
        connection,
        {
            "built_types": "select conversion_type from intermediate.int_conversions__types",
            "built_event_conversions": "select conversion_type, conversion_source_key, user_key,"
            " value, currency, converted_at from intermediate.int_conversions__events",
        },
    )
    (as_of,) = connection.execute("select as_of from ops.clock").fetchone()
    connection.execute("delete from ops.built_clock")
    connection.execute(
        "insert into ops.built_clock values (?, ?, ?, null, false)",
        [as_of, _definitions(settings), _fits(connection, as_of)],
    )


def remember_people(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep which files are in the tables, and who is who; add to the record of merges and splits.

    A night that is built again finds its own rows in the record, and adds none.
    """
    later = " union ".join(
        [
            # The times of events are corrected on the way.
            "select distinct file_seq from intermediate.int_events__landed"
            " where occurred_at >= (select as_of from ops.clock)",
            *(
                f"select distinct _file_seq as file_seq from raw.{warehouse.identifier(dataset)}"
                f" where {warehouse.identifier(moment)} >= (select as_of from ops.clock)"
                for dataset, moment in _clocked_moments()
            ),
        ]
    )
    connection.execute(
        "insert into ops.identity_changes select * from intermediate.int_identity__changed"
        " except select * from ops.identity_changes"
    )
    _replace(
        connection,
        {
            "built_files": f"select file_seq, content_key, file_seq in ({later})"
            f" from ({_RELEASED})",
            "built_identifiers": "select identifier_type, identifier_hash, user_key"
            " from intermediate.int_identity__identifiers",
            "built_stints": "select identifier_type, identifier_hash, user_key, started_at,"
            " ended_at from intermediate.int_identity__stints",
        },
    )


def _replace(connection: duckdb.DuckDBPyConnection, tables: dict[str, str]) -> None:
    for table, select in tables.items():
        connection.execute(f"delete from ops.{table}")
        connection.execute(f"insert into ops.{table} {select}")


def _clocked_moments() -> list[tuple[str, str]]:
    """The moments of each data set, but those of events, that SQL compares with the clock."""
    never_compared = set(["received_at", "started_at", "ended_at", "eligible_until"])
    never_compared |= {"vetoed_at", "matched_at"}
    return [
        (dataset.name, column.name)
        for dataset in DATASETS.values()
        if not dataset.is_events
        for column in dataset.columns
        if column.kind == "moment" and column.name not in never_compared
    ]


def _fits(connection: duckdb.DuckDBPyConnection, as_of: dt.datetime) -> str:
    """A digest of the fitted versions that rows before a moment were labelled with."""
    parts = []
    for table, has_version in _fitted(connection):
        name = warehouse.identifier(table)
        # Before the first version, the first one is valid; before the first score there is none.
        first = f" or version = (select min(version) from ml.{name})" if has_version else ""
        # Summed in the warehouse: what data-driven models learned can be a million rows.
        row = connection.execute(
            f"select count(*), sum(hash(fits)) from ml.{name} as fits where valid_from < ?{first}",
            [as_of],
        ).fetchone()
        parts.append(f"{table}{row!r}")
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _fitted(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, bool]]:
    """Names of the tables of fitted inputs, and whether they have versions or are scores."""
    return connection.execute(
        "select table_name, bool_or(column_name = 'version') from duckdb_columns()"
        " where schema_name = 'ml' group by table_name"
        " having bool_or(column_name = 'valid_from') order by all"
    ).fetchall()


def _definitions(settings: Settings) -> str:
    """A digest of the project, its libraries' knowledge, the input's settings, the hashes' key."""
    values = json.dumps(settings.input_vars(), sort_keys=True, default=str)
    salt = hashlib.sha256(settings.pii_salt()).hexdigest()
    parts = (_code(PROJECT), values, salt, lookups.versions())
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that this module keeps, where they are not there."""
    connection.execute("create schema if not exists ops")
    for table, columns in {
        "built_stages": "stage varchar, digest varchar, run_id varchar",
        "built_files": "file_seq bigint, content_key varchar, is_open boolean",
        "built_identifiers": "identifier_type varchar, identifier_hash varchar, user_key varchar",
        "built_stints": "identifier_type varchar, identifier_hash varchar, user_key varchar,"
        " started_at timestamp, ended_at timestamp",
        "identity_changes": "identifier_type varchar, identifier_hash varchar,"
        " old_user_key varchar, new_user_key varchar, kind varchar, reason varchar,"
        " evidence varchar, evidence_count bigint, evidence_first_seen_at timestamp,"
        " changed_at timestamp",
        "built_types": "conversion_type varchar",
        "built_event_conversions": "conversion_type varchar, conversion_source_key varchar,"
        " user_key varchar, value decimal(18, 4), currency varchar, converted_at timestamp",
        "built_clock": "as_of timestamp, code varchar, fits varchar, building varchar,"
        " everything boolean",
    }.items():
        connection.execute(f"create table if not exists ops.{table} ({columns})")


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
