"""The first step of a night: bring new and changed files of the landing folder into raw.

Each file is one transaction: its rows, its quarantined lines and its row of the ledger are all
there or none is, so a load that is killed is repeated by running it again.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from apportion import erasure, ledger, lookups, readers, retention, suites, warehouse
from apportion.datasets import DATASETS, Dataset
from apportion.errors import ApportionError, UsageError
from apportion.ledger import Entry, LandedFile, Ledger, prepare
from apportion.lines import Unreadable
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import identifier

__all__ = ["load", "prepare", "retry"]

ALIASES = PROJECT / "seeds" / "column_aliases.csv"
_MEMORY_LIMIT = "2500MB"

logger = logging.getLogger("apportion.load")


def load(night: Night) -> str:
    """Load what is new in the landing folder, and set the clock of the night.

    Args:
        night: the run.

    Returns:
        One line: files, rows, quarantined rows, and what could not be read.

    Raises:
        UsageError: there is no landing folder.
        ApportionError: there is nothing to load, and nothing was ever loaded.
    """
    landing = night.settings.landing
    if not landing.is_dir():
        raise UsageError(
            f"the landing folder {landing} does not exist",
            "name it with --landing DIR or APPORTION_LANDING; it holds one folder per dataset,"
            " e.g. orders/orders.csv",
        )
    limits = _stale_after_days(night.settings)
    with _loader(night) as loader:
        line = loader.run()
    line += erasure.keep_out(night)
    with warehouse.connect(night.settings.warehouse) as connection:
        ledger.write_clock(connection, night.date)
    line += retention.apply(night)
    with warehouse.connect(night.settings.warehouse) as connection:
        ledger.write_freshness(connection, night.run_id, limits)
    return line


def retry(night: Night, paths: Sequence[Path] = ()) -> list[str]:
    """Read files with quarantined rows again, after an alias or a rule was mended.

    A file whose outcome is another is recorded anew in its old place: what is good now gets the
    `_file_seq` and `_row_number` that it would have had at first. The others are left as they are.

    Args:
        night: a run of its own; the gate of the next night judges what it brings.
        paths: these files alone; empty: every file with rows in the quarantine.

    Returns:
        One line per file: what became of it.

    Raises:
        UsageError: a path is not in the ledger.
    """
    with _loader(night) as loader:
        return loader.retry(paths)


@contextmanager
def _loader(night: Night) -> Iterator[_Loader]:
    """A loader on the open warehouse, with a scratch folder that is gone afterwards."""
    data = night.settings.data
    data.mkdir(parents=True, exist_ok=True)
    with warehouse.connect(night.settings.warehouse) as connection:
        for left_by_a_killed_run in data.glob("load-*"):
            shutil.rmtree(left_by_a_killed_run)
        connection.execute(f"set memory_limit = '{_MEMORY_LIMIT}'")
        prepare(connection, night.settings)
        with tempfile.TemporaryDirectory(prefix="load-", dir=data) as scratch:
            yield _Loader(connection, night, Path(scratch))


def _stale_after_days(settings: Settings) -> dict[str, float]:
    """The var stale_after_days: days per dataset.

    Raises:
        UsageError: it names something else.
    """
    limits = suites.variables(settings)["stale_after_days"]
    if not isinstance(limits, dict) or not all(
        name in DATASETS and isinstance(days, int | float) for name, days in limits.items()
    ):
        raise UsageError(
            f"stale_after_days is a number of days per dataset, not {limits}",
            f"mend dbt_project.yml, or {settings.landing / 'vars.yml'}",
        )
    return limits


def landed(landing: Path) -> tuple[list[tuple[Dataset, Path]], list[str]]:
    """The files of a landing folder in order of dataset and path, and what in it is not ours."""
    files, strangers = [], []
    for folder in sorted(landing.iterdir()):
        if folder.name.startswith(".") or folder.name == "vars.yml":
            continue
        dataset = DATASETS.get(folder.name)
        if dataset is None or not folder.is_dir():
            strangers.append(folder.name)
            continue
        for path in _walk(folder):
            if readers.file_format(path) is None:
                strangers.append(str(path.relative_to(landing)))
            else:
                files.append((dataset, path))
    return files, strangers


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith((".", "_")) for part in parts):
            yield path


class _Loader:
    """One run over one landing folder."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, night: Night, scratch: Path):
        self.connection = connection
        self.night = night
        self.scratch = scratch
        self.ledger = Ledger(connection)
        self.aliases = readers.read_aliases(ALIASES)
        self.files = self.rows = self.quarantined = 0
        self.duplicates: set[Path] = set()
        self.retried: list[str] = []
        self.failed: dict[Path, str] = {}

    def run(self) -> str:
        """Load every file that is new or changed; return the line for people."""
        landing = self.night.settings.landing
        found, strangers = landed(landing)
        if not found and not self.ledger.entries:
            names = ", ".join(DATASETS)
            also = f" (not known: {', '.join(strangers[:5])})" if strangers else ""
            raise ApportionError(
                f"there is nothing to load in {landing}{also}, and nothing was loaded before",
                f"put files into {landing}/<dataset>/, e.g. {landing}/orders/orders.csv;"
                f" datasets: {names}",
            )
        files = [self._look(dataset, path) for dataset, path in found]
        # Replaced content first: only then is it known which contents the warehouse holds.
        for file in [file for file in files if self._is_replaced(file)] + files:
            self._bring(file)
        self._read_by_new_names()
        if self.failed and not any(entry.sha256 for entry in self.ledger.entries.values()):
            raise ApportionError(
                f"no file of {landing} could be read: {_some(list(self.failed.values()))}",
                "mend or remove it; raw._quarantine names every file and its reason",
            )
        return self._line(len(found), strangers)

    def _read_by_new_names(self) -> None:
        """Read files again of which a header means another column now than when they were read."""
        read = self.connection.execute(
            "select dataset, header, column_name, list(distinct path) from raw._file_columns"
            " inner join raw._files using (file_seq) where status = 'loaded' group by all"
        ).fetchall()
        renamed = {
            (dataset, path)
            for dataset, header, column, paths in read
            if dataset in DATASETS
            and (self._headers(DATASETS[dataset]).column(header) or "extra") != column
            for path in paths
        }
        for dataset, path in sorted(renamed):
            quarantined = self.connection.execute(
                "select rows_quarantined from raw._files where dataset = ? and path = ?",
                [dataset, path],
            ).fetchone()[0]
            self.retried.append(self._retry(DATASETS[dataset], Path(path), quarantined))

    def retry(self, paths: Sequence[Path]) -> list[str]:
        """Read files again whose rows are in the quarantine; return what became of each."""
        found = self.connection.execute(
            "select dataset, path, rows_quarantined from raw._files"
            " where rows_quarantined > 0 or list_contains($paths::varchar[], path)"
            " order by file_seq",
            {"paths": list(map(str, paths))},
        ).fetchall()
        if unknown := {str(path) for path in paths} - {path for _, path, _ in found}:
            raise UsageError(
                f"never landed: {', '.join(sorted(unknown))}", "apportion quarantine list"
            )
        chosen = [row for row in found if not paths or Path(row[1]) in paths]
        return [self._retry(DATASETS[name], Path(path), rows) for name, path, rows in chosen]

    def _retry(self, dataset: Dataset, path: Path, before: int) -> str:
        entry = self.ledger.get(dataset.name, path)
        try:
            status = path.stat()
            sha256 = ledger.content_hash(path)
        except OSError:
            return f"{path}: {before:,} rows wait; the file is gone, land it again at this path"
        file = LandedFile(dataset, path, status.st_size, status.st_mtime_ns, sha256)
        if entry.status == "duplicate" or sha256 != (entry.sha256 or sha256):
            return f"{path}: its content is another one now; the next night loads it"
        try:
            columns = self._read(file)
        except (Unreadable, duckdb.Error, OSError) as error:
            return f"{path}: cannot be read: {_first_line(error)}"
        if entry.status == "loaded" and not self._is_changed(entry.file_seq, columns):
            return f"{path}: {before:,} rows wait, for the same reasons as before"
        loaded, quarantined = self._record(file, entry.file_seq, columns)
        self._log(file, "retried", rows=loaded, quarantined=quarantined)
        return f"{path}: {loaded:,} rows are loaded, {quarantined:,} wait ({before:,} before)"

    def _is_changed(self, file_seq: int, columns: Sequence[readers.FileColumn]) -> bool:
        """Whether what was read differs from what is recorded: in its reasons, or its columns."""
        reasons = (
            "select line, reason from landed_rows where reason <> ''"
            " union all select line, reason from landed_rejects"
        )
        recorded = "select line, reason from raw._quarantine where file_seq = $file_seq"
        differing = self.connection.execute(
            f"select count(*) from ((({reasons}) except all ({recorded}))"
            f" union all (({recorded}) except all ({reasons})))",
            {"file_seq": file_seq},
        ).fetchone()[0]
        names = self.connection.execute(
            "select header, column_name from raw._file_columns where file_seq = ? order by all",
            [file_seq],
        ).fetchall()
        return bool(differing) or names != sorted(
            (column.header, column.column_name) for column in columns
        )

    def _read(self, file: LandedFile) -> list[readers.FileColumn]:
        latest = ledger.utc_now() + dt.timedelta(days=1)
        headers = self._headers(file.dataset)
        return readers.read(self.connection, file.path, headers, self.scratch, latest)

    def _look(self, dataset: Dataset, path: Path) -> LandedFile:
        """The file with its hash; it is not read where size and time are as in the ledger."""
        status = path.stat()
        entry = self.ledger.get(dataset.name, path)
        is_known = entry is not None and entry.status != "failed"
        if is_known and (entry.size, entry.modified_ns) == (status.st_size, status.st_mtime_ns):
            sha256 = entry.sha256
        else:
            sha256 = ledger.content_hash(path)
        return LandedFile(dataset, path, status.st_size, status.st_mtime_ns, sha256)

    def _is_replaced(self, file: LandedFile) -> bool:
        entry = self.ledger.get(file.dataset.name, file.path)
        return entry is not None and entry.sha256 not in (None, file.sha256)

    def _bring(self, file: LandedFile) -> None:
        """Load one file, unless its content is there already."""
        if file.path in self.failed:
            return
        entry = self.ledger.get(file.dataset.name, file.path)
        owner = self.ledger.owner(file)
        if entry and entry.status != "failed" and entry.sha256 == file.sha256:
            is_there = entry.status == "loaded" or entry.duplicate_of == owner
            if is_there:
                self.ledger.touch(file, entry)
                return
        file_seq = entry.file_seq if entry else self.ledger.next_file_seq()
        if owner:
            self._record(file, file_seq, duplicate_of=owner)
            self.duplicates.add(file.path)
            self._log(file, "duplicate", of=owner)
            return
        started = time.monotonic()
        try:
            columns = self._read(file)
        except (duckdb.FatalException, duckdb.InterruptException):
            raise
        except (Unreadable, duckdb.Error, OSError) as error:
            self._record_failure(file, entry, file_seq, _first_line(error))
            return
        loaded, quarantined = self._record(file, file_seq, columns)
        self.duplicates.discard(file.path)
        self.files += 1
        self.rows += loaded
        self.quarantined += quarantined
        seconds = round(time.monotonic() - started, 3)
        self._log(file, "loaded", rows=loaded, quarantined=quarantined, seconds=seconds)

    def _record(
        self,
        file: LandedFile,
        file_seq: int,
        columns: Sequence[readers.FileColumn] = (),
        duplicate_of: str | None = None,
    ) -> tuple[int, int]:
        """Replace a path's rows by what was read, or by nothing where another path has its content.

        Returns:
            rows loaded, rows quarantined.
        """
        table = f"raw.{identifier(file.dataset.name)}"
        batch_id = None if duplicate_of else ledger.batch_of(self.night.run_id, file.dataset)
        loaded = quarantined = 0
        execute = self.connection.execute
        with ledger.transaction(self.connection):
            execute(f"delete from {table} where _file_seq = ?", [file_seq])
            execute("delete from raw._quarantine where file_seq = ?", [file_seq])
            execute("delete from raw._file_columns where file_seq = ?", [file_seq])
            if not duplicate_of:
                loaded = self._insert_rows(file, file_seq, batch_id)
                rows = "landed_rows where reason = ''"
                lookups.extend(self.connection, file.dataset.name, rows)
                quarantined = self._insert_quarantine(file, file_seq, batch_id)
                self._insert_columns(file_seq, columns)
                ledger.add_to_batch(
                    self.connection, self.night.run_id, file.dataset, loaded, quarantined
                )
            self.ledger.write(
                file,
                file_seq,
                "duplicate" if duplicate_of else "loaded",
                self.night.run_id,
                sha256=file.sha256,
                batch_id=batch_id,
                duplicate_of=duplicate_of,
                rows_loaded=loaded,
                rows_quarantined=quarantined,
            )
        self.ledger.remember(file, file_seq, file.sha256, duplicate_of)
        return loaded, quarantined

    def _insert_rows(self, file: LandedFile, file_seq: int, batch_id: str) -> int:
        columns = ", ".join(identifier(column.name) for column in file.dataset.columns)
        return self.connection.execute(
            f"insert into raw.{identifier(file.dataset.name)} ({columns}, extra, _file_seq,"
            f" _row_number, _batch_id, _loaded_at) select {columns}, extra, ?, row_number, ?, ?"
            " from landed_rows where reason = ''",
            [file_seq, batch_id, ledger.utc_now()],
        ).fetchone()[0]

    def _insert_quarantine(self, file: LandedFile, file_seq: int, batch_id: str) -> int:
        return self.connection.execute(
            "insert into raw._quarantine select ?, ?, ?, line, reason, raw_text, ?, ?, ? from ("
            " select line, reason, raw_text from landed_rows where reason <> ''"
            " union all select line, reason, raw_text from landed_rejects) order by line",
            [file.dataset.name, str(file.path), file_seq, batch_id, self.night.run_id,
             ledger.utc_now()],
        ).fetchone()[0]  # fmt: skip

    def _insert_columns(self, file_seq: int, columns: Sequence[readers.FileColumn]) -> None:
        self.connection.execute(
            "insert into raw._file_columns"
            " select ?, unnest(?::bigint[]), unnest(?::varchar[]), unnest(?::varchar[]),"
            " unnest(?::varchar[])",
            [
                file_seq,
                [column.position for column in columns],
                [column.header for column in columns],
                [column.column_name for column in columns],
                [column.kind for column in columns],
            ],
        )

    def _record_failure(
        self, file: LandedFile, entry: Entry | None, file_seq: int, reason: str
    ) -> None:
        """Quarantine a file as a whole.

        Rows of an earlier content of its path stay until the new one can be read.
        """
        execute = self.connection.execute
        with ledger.transaction(self.connection):
            execute("delete from raw._quarantine where file_seq = ? and line is null", [file_seq])
            execute(
                "insert into raw._quarantine values (?, ?, ?, null, ?, null, null, ?, ?)",
                [file.dataset.name, str(file.path), file_seq, reason, self.night.run_id,
                 ledger.utc_now()],
            )  # fmt: skip
            kept = execute(
                "select batch_id, rows_loaded from raw._files where file_seq = ?", [file_seq]
            ).fetchone() or (None, 0)
            quarantined = execute(
                "select count(*) from raw._quarantine where file_seq = ?", [file_seq]
            ).fetchone()[0]
            sha256 = entry.sha256 if entry and kept[0] else None
            self.ledger.write(
                file,
                file_seq,
                "failed",
                self.night.run_id,
                sha256=sha256,
                batch_id=kept[0],
                reason=reason,
                rows_loaded=kept[1],
                rows_quarantined=quarantined,
            )
        self.ledger.remember(file, file_seq, sha256, None, status="failed")
        self.quarantined += 1
        name = file.path.relative_to(self.night.settings.landing)
        self.failed[file.path] = f"{name} ({reason})"
        self._log(file, "failed", level=logging.WARNING, reason=reason)

    def _headers(self, dataset: Dataset) -> readers.Headers:
        return readers.Headers(
            dataset, {**self.aliases.get("*", {}), **self.aliases.get(dataset.name, {})}
        )

    def _line(self, found: int, strangers: list[str]) -> str:
        """What was done, for people."""
        parts = [
            f"{self.files:,} files",
            f"{self.rows:,} rows",
            f"{self.quarantined:,} quarantined",
        ]
        unchanged = found - self.files - len(self.duplicates) - len(self.failed)
        if unchanged > 0:
            parts.append(f"{unchanged:,} files unchanged")
        if self.retried:
            parts.append(f"by new column aliases: {_some(self.retried)}")
        if self.duplicates:
            parts.append(f"{len(self.duplicates):,} files delivered before under another name")
        if self.failed:
            reasons = _some(list(self.failed.values()))
            parts.append(f"{len(self.failed):,} files could not be read: {reasons}")
        if strangers:
            parts.append(f"not known: {_some(strangers)}")
        return ", ".join(parts)

    def _log(
        self, file: LandedFile, event: str, level: int = logging.INFO, **values: object
    ) -> None:
        values = {
            "run_id": self.night.run_id,
            "event": event,
            "dataset": file.dataset.name,
            "path": file.path,
            **values,
        }
        logger.log(level, " ".join(f"{key}={_quoted(value)}" for key, value in values.items()))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=]', text) else text


def _some(names: list[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
