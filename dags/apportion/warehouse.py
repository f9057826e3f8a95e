"""The one place that opens DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from apportion.errors import ApportionError, WarehouseBusy


@contextmanager
def connect(path: Path | str, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file in UTC, and close it whatever happens.

    Args:
        path: the file, or ':memory:'.
        read_only: open without the right to write; the file must exist.

    Raises:
        WarehouseBusy: another process has it open for writing.
        ApportionError: it is not a DuckDB file, or cannot be opened.
    """
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text:
            holder = re.search(r"held in (.+?)(?: by user [^\s.]+)?\.", text)
            who = holder.group(1) if holder else "another process"
            raise WarehouseBusy(
                f"{path} is in use by {who}", "wait for that run, or see: apportion status"
            ) from error
        raise ApportionError(f"{path} cannot be opened: {text}", "apportion doctor") from error
    except duckdb.ConnectionException as error:
        raise WarehouseBusy(
            f"{path} is open in this process with other rights: {error}", "close it first"
        ) from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Quote a text for SQL, where a prepared parameter cannot stand."""
    return "'" + str(text).replace("'", "''") + "'"
