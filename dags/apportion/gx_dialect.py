"""A SQLAlchemy dialect that lets Great Expectations judge tables of an open DuckDB connection.

Great Expectations gives a connection back to the pool before it fetches the rows of its result;
DuckDB has one result per connection, so over the plain dialect each row-level expectation fails
with "list index out of range". Here each result is read in full before the connection goes back.
What is read are counts and a few rows, because the expectations run as aggregates in DuckDB.

The dialect opens no file: it lends the connection of `serve`, so that `warehouse.connect` stays the
one place that opens DuckDB, and the file is free again when that connection is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
from duckdb_engine import ConnectionWrapper
from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy import pool
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

CONNECTION_STRING = "duckdb+lent://"

_lent: list[duckdb.DuckDBPyConnection] = []


class LentConnection(ConnectionWrapper):
    """A connection that somebody else closes."""

    def close(self) -> None:
        """Do nothing: the owner closes it."""


class BufferedExecutionContext(DuckDBDialect.execution_ctx_cls):
    """Reads a result in full as soon as its statement has run."""

    def post_exec(self) -> None:
        """Replace the cursor by its rows."""
        super().post_exec()
        if self.cursor is not None and self.cursor.description:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor, initial_buffer=self.cursor.fetchall()
            )


class Dialect(DuckDBDialect):
    """DuckDB with buffered results, on the connection of `serve`."""

    supports_statement_cache = False
    execution_ctx_cls = BufferedExecutionContext

    def connect(self, *_args: Any, **_parameters: Any) -> LentConnection:
        """Lend the connection that is being served.

        Raises:
            RuntimeError: none is.
        """
        if not _lent:
            raise RuntimeError("no DuckDB connection is being served")
        return LentConnection(_lent[-1])

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """One connection per thread: temporary tables belong to their connection."""
        return pool.SingletonThreadPool


@contextmanager
def serve(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Lend `connection` to SQLAlchemy inside the block; gives the connection string to use there.

    Engines made from it must be disposed of before the block ends.
    """
    registry.register("duckdb.lent", __name__, "Dialect")
    _lent.append(connection)
    try:
        yield CONNECTION_STRING
    finally:
        _lent.pop()
