"""What has been loaded: the raw tables, the ledger of files and batches, and the clock."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from apportion import lookups
from apportion.datasets import DATASETS, Dataset
from apportion.settings import Settings
from apportion.warehouse import identifier

BOOKKEEPING = (
    ("extra", "json"),
    ("_file_seq", "bigint"),
    ("_row_number", "bigint"),
    ("_batch_id", "varchar"),
    ("_loaded_at", "timestamp"),
)
"""Columns that every raw table has after those of the contract."""

_TABLES = """
create schema if not exists raw;
create schema if not exists ops;
create schema if not exists ml;
-- One row per path. rows_in_file = rows_loaded + rows_quarantined, always.
create table if not exists raw._files (
    file_seq bigint primary key, dataset varchar not null, path varchar not null,
    sha256 varchar, status varchar not null, duplicate_of varchar, reason varchar,
    batch_id varchar, run_id varchar not null,
    size_bytes bigint, modified_ns bigint,
    rows_in_file bigint not null, rows_loaded bigint not null, rows_quarantined bigint not null,
    first_seen_at timestamp not null, loaded_at timestamp not null,
    unique (dataset, path)
);
-- One row per run and dataset that brought rows.
create table if not exists raw._batches (
    batch_id varchar primary key, run_id varchar not null, dataset varchar not null,
    status varchar not null, reason varchar,
    files_count bigint not null, rows_loaded bigint not null, rows_quarantined bigint not null,
    created_at timestamp not null, decided_at timestamp
);
-- One row per row of a file that could not be loaded; line is null where it is the whole file.
create table if not exists raw._quarantine (
    dataset varchar not null, path varchar not null, file_seq bigint not null,
    line bigint, reason varchar not null, raw_text varchar,
    batch_id varchar, run_id varchar not null, quarantined_at timestamp not null
);
-- One row per column of a file's header, or key of its JSON objects, which has no position.
create table if not exists raw._file_columns (
    file_seq bigint not null, position bigint, header varchar not null,
    column_name varchar not null, kind varchar not null
);
create table if not exists raw._pii_key (inner_pad blob not null, outer_pad blob not null);
create table if not exists ops.clock (as_of timestamp not null);
create table if not exists ops.run_log (
    run_id varchar, stage varchar, status varchar, reason varchar, rows bigint,
    "at" timestamp, seconds double
);
create table if not exists ops.quality_results (
    run_id varchar, stage varchar, "check" varchar, severity varchar, success boolean,
    observed varchar, reason varchar, "at" timestamp
);
-- One row per suite that the gates of the last run judged; page is HTML.
create table if not exists ops.data_docs (
    run_id varchar not null, stage varchar not null, suite varchar not null,
    judged varchar not null, checks bigint not null, failed bigint not null, page varchar not null
);
create table if not exists ops.source_freshness (
    run_id varchar, dataset varchar, last_row_at timestamp, last_loaded_at timestamp,
    rows bigint, status varchar, "at" timestamp
);
-- One row per content that a file had before erased people were taken out of it.
create table if not exists raw._former_files (
    dataset varchar not null, sha256 varchar not null, path varchar not null
);
-- One row per identifier of an erased person, a salted hash; between from_at and to_at alone where
-- others used the device too.
create table if not exists ops.tombstones (
    erased_key varchar not null, request_id varchar not null, identifier_type varchar not null,
    identifier_hash varchar not null, from_at timestamp, to_at timestamp
);
-- One row per file in which erased people were looked for.
create table if not exists ops.swept_files (file_seq bigint not null, sha256 varchar);
-- One row per request of a person.
create table if not exists ops.privacy_audit_log (
    run_id varchar not null, request_id varchar primary key, kind varchar not null,
    status varchar not null, reason varchar, requested_at timestamp, "at" timestamp not null,
    people_count bigint, identifiers_count bigint, rows_deleted bigint, rows_anonymised bigint,
    files_rewritten bigint
);
alter table ops.source_freshness add column if not exists days_overdue double;
"""


def prepare(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create the schemas raw, ops and ml and every table of raw and ops that is missing.

    Also keep raw._pii_key, the pads of the identifier hashes, in step with the settings.
    """
    connection.execute(_TABLES)
    for dataset in DATASETS.values():
        columns = [(column.name, column.sql_type) for column in dataset.columns]
        definition = ", ".join(
            f"{identifier(name)} {sql_type}" for name, sql_type in (*columns, *BOOKKEEPING)
        )
        connection.execute(
            f"create table if not exists raw.{identifier(dataset.name)} ({definition})"
        )
        _add_new_columns(connection, dataset)
    lookups.prepare(connection)
    pads = hmac_pads(settings.pii_salt())
    if connection.execute("select inner_pad, outer_pad from raw._pii_key").fetchall() != [pads]:
        with transaction(connection):
            connection.execute("delete from raw._pii_key")
            connection.execute("insert into raw._pii_key values (?, ?)", list(pads))


def _add_new_columns(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """A warehouse from before a column joined the contract gets it, empty."""
    described = connection.execute(f"describe raw.{identifier(dataset.name)}").fetchall()
    there = {row[0] for row in described}
    for column in dataset.columns:
        if column.name not in there:
            connection.execute(
                f"alter table raw.{identifier(dataset.name)}"
                f" add column {identifier(column.name)} {column.sql_type}"
            )


def hmac_pads(key: bytes) -> tuple[bytes, bytes]:
    """The inner and the outer pad of HMAC-SHA256 (RFC 2104), 64 bytes each."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def utc_now() -> dt.datetime:
    """The present moment, UTC, without a zone: as the warehouse keeps times."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class LandedFile:
    """One file of the landing folder, as it is now."""

    dataset: Dataset
    path: Path
    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of one path."""

    file_seq: int
    sha256: str | None
    status: str
    duplicate_of: str | None
    size: int
    modified_ns: int


class Ledger:
    """The table raw._files, read once and kept in step with what this run writes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection
        rows = connection.execute(
            "select dataset, path, file_seq, sha256, status, duplicate_of, size_bytes, modified_ns"
            " from raw._files"
        ).fetchall()
        self.entries = {(row[0], row[1]): Entry(*row[2:]) for row in rows}
        self._last_seq = max((entry.file_seq for entry in self.entries.values()), default=0)
        self._owners: dict[tuple[str, str], set[str]] = {}
        for key in self.entries:
            self._own(key)
        # What a file held before erased people were taken out of it is not loaded again elsewhere.
        for dataset, sha256, path in connection.execute("from raw._former_files").fetchall():
            self._owners.setdefault((dataset, sha256), set()).add(path)

    def get(self, dataset: str, path: Path) -> Entry | None:
        """What is known of a path; None: it is new."""
        return self.entries.get((dataset, str(path)))

    def next_file_seq(self) -> int:
        """The number of a path that has not been seen before."""
        return self._last_seq + 1

    def owner(self, file: LandedFile) -> str | None:
        """Another path whose rows in raw are the content of this file; None: there is none."""
        paths = self._owners.get((file.dataset.name, file.sha256), set()) - {str(file.path)}
        return min(paths, default=None)

    def write(
        self,
        file: LandedFile,
        file_seq: int,
        status: str,
        run_id: str,
        *,
        sha256: str | None = None,
        batch_id: str | None = None,
        duplicate_of: str | None = None,
        reason: str | None = None,
        rows_loaded: int = 0,
        rows_quarantined: int = 0,
    ) -> None:
        """Write one path's row; to be called within the file's transaction, before `remember`."""
        now = utc_now()
        self.connection.execute(
            "insert into raw._files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (file_seq) do update set sha256 = excluded.sha256,"
            " status = excluded.status, duplicate_of = excluded.duplicate_of,"
            " reason = excluded.reason, batch_id = excluded.batch_id, run_id = excluded.run_id,"
            " size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns,"
            " rows_in_file = excluded.rows_in_file, rows_loaded = excluded.rows_loaded,"
            " rows_quarantined = excluded.rows_quarantined, loaded_at = excluded.loaded_at",
            [file_seq, file.dataset.name, str(file.path), sha256, status, duplicate_of, reason,
             batch_id, run_id, file.size, file.modified_ns, rows_loaded + rows_quarantined,
             rows_loaded, rows_quarantined, now, now],
        )  # fmt: skip

    def remember(
        self,
        file: LandedFile,
        file_seq: int,
        sha256: str | None,
        duplicate_of: str | None,
        status: str | None = None,
    ) -> None:
        """Know of a write that has been committed."""
        key = (file.dataset.name, str(file.path))
        before = self.entries.get(key)
        if before:
            self._owners.get((key[0], before.sha256), set()).discard(key[1])
        status = status or ("duplicate" if duplicate_of else "loaded")
        self._last_seq = max(self._last_seq, file_seq)
        self.entries[key] = Entry(
            file_seq, sha256, status, duplicate_of, file.size, file.modified_ns
        )
        self._own(key)

    def touch(self, file: LandedFile, entry: Entry) -> None:
        """Keep size and time of a file with unchanged content, so that it is not hashed again."""
        if (entry.size, entry.modified_ns) == (file.size, file.modified_ns):
            return
        self.connection.execute(
            "update raw._files set size_bytes = ?, modified_ns = ? where file_seq = ?",
            [file.size, file.modified_ns, entry.file_seq],
        )
        self.entries[(file.dataset.name, str(file.path))] = replace(
            entry, size=file.size, modified_ns=file.modified_ns
        )

    def _own(self, key: tuple[str, str]) -> None:
        """Keep the index of contents: which paths have their rows in raw."""
        entry = self.entries[key]
        if entry.sha256 and entry.status != "duplicate":
            self._owners.setdefault((key[0], entry.sha256), set()).add(key[1])


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is written within is there, or nothing of it."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def add_to_batch(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    dataset: Dataset,
    rows_loaded: int,
    rows_quarantined: int,
) -> None:
    """Count one file into the batch of this run and dataset; a new batch is released."""
    connection.execute(
        "insert into raw._batches values (?, ?, ?, 'released', null, 1, ?, ?, ?, null)"
        " on conflict (batch_id) do update set files_count = files_count + 1,"
        " rows_loaded = rows_loaded + excluded.rows_loaded,"
        " rows_quarantined = rows_quarantined + excluded.rows_quarantined",
        [batch_of(run_id, dataset), run_id, dataset.name, rows_loaded, rows_quarantined, utc_now()],
    )


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_clock(connection: duckdb.DuckDBPyConnection, date: dt.date | None) -> dt.datetime:
    """Write ops.clock: the exclusive end of the night's day.

    Args:
        connection: the warehouse.
        date: the day; None: the last day on which something happened in the released rows of
            events (segment and ga4 too), orders and offline_conversions, else today.
    """
    if date is None:
        last = [
            f"select max({identifier(dataset.occurrence)}) as moment"
            f" from raw.{identifier(dataset.name)} where _batch_id in"
            " (select batch_id from raw._batches where status = 'released')"
            for dataset in DATASETS.values()
            if dataset.is_events or dataset.name in ("orders", "offline_conversions")
        ]
        moment = connection.execute(
            f"select max(moment) from ({' union all '.join(last)})"
        ).fetchone()[0]
        date = (moment or utc_now()).date()
    as_of = dt.datetime.combine(date + dt.timedelta(days=1), dt.time())
    with transaction(connection):
        connection.execute("delete from ops.clock")
        connection.execute("insert into ops.clock values (?)", [as_of])
    return as_of


def write_freshness(
    connection: duckdb.DuckDBPyConnection, run_id: str, stale_after_days: Mapping[str, float]
) -> None:
    """Write ops.source_freshness: per dataset the last row, the last load, the rows and the status.

    Status: empty (no rows), stale (overdue), updated (this run brought rows) or unchanged. A
    dataset is overdue by what its last row is older at the night's clock, or its last load is
    longer ago, than it may be: when all sources stop, the clock of the data stops with them.

    Args:
        connection: the warehouse; ops.clock is that of the run.
        run_id: the run.
        stale_after_days: days that a dataset may go without news; one that is not named is never
            stale.
    """
    now = utc_now()
    with transaction(connection):
        connection.execute("delete from ops.source_freshness where run_id = ?", [run_id])
        for dataset in DATASETS.values():
            last_row_at = (
                f"cast(max({identifier(dataset.occurrence)}) as timestamp)"
                if dataset.occurrence
                else "cast(null as timestamp)"
            )
            connection.execute(
                "insert into ops.source_freshness (run_id, dataset, last_row_at, last_loaded_at,"
                ' rows, status, "at", days_overdue)'
                f" with loaded as (select {last_row_at} as last_row_at,"
                " max(_loaded_at) as last_loaded_at, count(*) as rows,"
                " coalesce(bool_or(_batch_id = $batch_id), false) as is_updated"
                f" from raw.{identifier(dataset.name)}),"
                " aged as (select *, greatest(0, (greatest("
                " epoch(clock.as_of) - epoch(last_row_at), epoch($now) - epoch(last_loaded_at))"
                " / 86400e0) - $limit::double) as days_overdue"
                " from loaded cross join ops.clock as clock)"
                " select $run_id, $dataset, last_row_at, last_loaded_at, rows,"
                " case when rows = 0 then 'empty' when days_overdue > 0 then 'stale'"
                " when is_updated then 'updated' else 'unchanged' end, $now,"
                " case when rows > 0 and $limit is not null then days_overdue end from aged",
                {
                    "run_id": run_id,
                    "dataset": dataset.name,
                    "batch_id": batch_of(run_id, dataset),
                    "limit": stale_after_days.get(dataset.name),
                    "now": now,
                },
            )


def batch_of(run_id: str, dataset: Dataset) -> str:
    """Name of the batch that a run brings to a dataset."""
    return f"{run_id}:{dataset.name}"
