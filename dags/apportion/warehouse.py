"""The one place that opens DuckDB."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from apportion.errors import ApportionError, WarehouseBusy

# How DuckDB tells a file with blocks that are not what was written, half a file, or another file.
_DAMAGE = re.compile(
    r"Corrupt database file|not a valid DuckDB database|Could not read enough bytes|"
    r"Serialization Error|Failure while replaying WAL"
)
# How it tells a disk that is full, or not to be written.
_CANNOT_WRITE = re.compile(
    r"Could not (write|truncate|fsync|create)|No space left|File too large|Read-only file system"
)
# What a connection cannot hold in memory waits in a folder of its own, beside the file. DuckDB uses
# one for all of a file, where two processes that read take each other's blocks for their own.
_SPILL = ".spill-"
_SPILL_OF_DUCKDB = ".tmp"


@contextmanager
def connect(
    path: Path | str,
    *,
    read_only: bool = False,
    sealed: bool = False,
    beside: Path | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file in UTC, and close it whatever happens.

    Args:
        path: the file, or ':memory:'.
        read_only: open without the right to write; the file must exist.
        sealed: reach no other file and no network, and let no statement change that: for those who
            only look.
        beside: the file beside which to keep what memory cannot hold; None: `path`.

    Raises:
        WarehouseBusy: another process has it open for writing.
        ApportionError: it cannot be opened, or is found to be damaged, now or inside the block.
    """
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        text = str(error)
        if "set lock on file" in text:
            holder = re.search(r"held in (.+?)(?: by user [^\s.]+)?\.", text)
            who = holder.group(1) if holder else "another process"
            raise WarehouseBusy(
                f"{path} is in use by {who}", "wait for that run, or see: apportion status"
            ) from error
        if _is_damage(text):
            raise _damaged(path, text) from error
        raise ApportionError(f"{path} cannot be opened: {text}", "apportion doctor") from error
    except duckdb.ConnectionException as error:
        raise WarehouseBusy(
            f"{path} is open in this process with other rights: {error}", "close it first"
        ) from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        if beside or str(path) != ":memory:":
            _spill_apart(connection, beside or Path(path))
        if sealed:
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
        yield connection
    except duckdb.Error as error:
        text = str(error)
        if _is_damage(text):
            raise _damaged(path, text) from error
        if _CANNOT_WRITE.search(text):
            raise ApportionError(
                f"a file cannot be written: {text.splitlines()[0]}",
                "make room on the disk, or mend the rights (apportion doctor says which);"
                " then: apportion run",
            ) from error
        raise
    finally:
        connection.close()


def sweep(folder: Path) -> None:
    """Remove what killed processes left beside the files of a folder that memory could not hold.

    It holds clear text where the files do, and nobody else would remove it. Nobody but the caller
    may be building there; readers of this project that are alive keep theirs.
    """
    doomed = list(folder.glob(f"*.duckdb{_SPILL_OF_DUCKDB}"))
    for spill in folder.glob(f"*{_SPILL}*"):
        process = spill.name.rpartition(_SPILL)[2].partition("-")[0]
        if not (process.isdecimal() and _is_alive(int(process))):
            doomed.append(spill)
    for spill in doomed:
        shutil.rmtree(spill, ignore_errors=True)


def _spill_apart(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Give a connection its own folder to spill into; one that shares another's has it already."""
    (folder,) = connection.execute("select current_setting('temp_directory')").fetchone()
    if _SPILL not in folder:
        name = f"{file.name}{_SPILL}{os.getpid()}-{secrets.token_hex(4)}"
        connection.execute(f"set temp_directory = {literal(file.with_name(name))}")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Of another user.
    return True


def _is_damage(text: str) -> bool:
    """Whether an error of DuckDB says that the file itself is broken."""
    return bool(_DAMAGE.search(text))


def _damaged(path: Path | str, text: str) -> ApportionError:
    return ApportionError(
        f"{path} is damaged: {text.splitlines()[0]}",
        "apportion restore (the last good copy of the warehouse, or a rebuild from landing);"
        " of a published version: apportion rollback",
    )


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Quote a text for SQL, where a prepared parameter cannot stand."""
    return "'" + str(text).replace("'", "''") + "'"
