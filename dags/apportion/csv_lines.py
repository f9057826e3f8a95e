"""CSV in which something is wrong: find the lines that are broken, so that all others load.

A record is quarantined when it has bytes that are not UTF-8, another number of values than the
header, or a quote that is never closed (or closed and followed by text). A quote that is never
closed spoils its own line only: the lines after it are read by themselves.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from apportion.lines import Unreadable
from apportion.warehouse import literal

_DELIMITERS = (",", ";", "\t", "|")
_MAX_RECORD = 1 << 26


@dataclass(frozen=True)
class Shape:
    """How a CSV file is written.

    Attributes:
        delimiter: what stands between values.
        names: names of the header, in order.
        skip: physical lines up to and with the header.
    """

    delimiter: str
    names: tuple[str, ...]
    skip: int

    @classmethod
    def of(cls, head: bytes, column: Callable[[str], str | None]) -> Shape:
        """The shape by the header: the delimiter is the one that gives the most known columns.

        Args:
            head: the first bytes of the file.
            column: the column that a name means, or None.
        """
        rows = head.splitlines()
        skip = next(number for number, row in enumerate(rows, 1) if row.strip())
        try:
            header = rows[skip - 1].decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable("the header is not UTF-8") from error
        best: list[str] = []
        chosen, most = ",", -1
        for delimiter in _DELIMITERS:
            try:
                names = next(csv.reader([header], delimiter=delimiter))
            except csv.Error as error:
                raise Unreadable(f"line {skip}: the header is not CSV: {error}") from error
            known = len({column(name) for name in names} - {None})
            if known > most:
                best, chosen, most = names, delimiter, known
        return cls(chosen, tuple(best), skip)

    def scan(self, path: str, skip: int, line_size: int = 1 << 21) -> str:
        """SQL that reads the records of a file as texts c0, c1, ... and fails where one is broken.

        One thread: with several, DuckDB may lose its place in a file with broken quotes.
        """
        columns = ", ".join(f"'c{number}': 'varchar'" for number in range(len(self.names)))
        return (
            f"read_csv({path}, columns={{{columns}}}, auto_detect=false, header=false,"
            f" skip={skip}, delim={literal(self.delimiter)}, quote='\"', escape='\"',"
            f" strict_mode=true, parallel=false, max_line_size={line_size})"
        )

    def records(self, path: str, *, spans_lines: bool) -> str:
        """SQL of the records with their number and the physical lines that they begin and end in.

        The lines are true only where the file has no blank line and no record is dropped, see
        `ends_in`.

        Args:
            path: the file, as a SQL literal.
            spans_lines: a value may hold line feeds.
        """
        last_line, within = f"row_number() over () + {self.skip}", "0"
        if spans_lines:
            values = f"concat({', '.join(f'c{number}' for number in range(len(self.names)))})"
            within = f"(length({values}) - length(replace({values}, chr(10), '')))"
            last_line += f" + cast(sum({within}) over (rows unbounded preceding) as bigint)"
        return (
            f"select row_number() over () as row_number, {last_line} - {within} as line,"
            f" {last_line} as last_line, cast(null as varchar) as raw_text, *"
            f" from {self.scan(path, self.skip)}"
        )


def split(connection: duckdb.DuckDBPyConnection, shape: Shape, scratch: Path) -> None:
    """Create landed_records (row_number, line, last_line, raw_text, c0, c1, ...) of landed_lines.

    Lines that belong to no record are written to landed_rejects.
    """
    _classify(connection, shape)
    _join_records(connection)
    _judge(connection, shape)
    clean = scratch / "clean.csv"
    longest = _write_clean(connection, clean)
    columns = "".join(f", c{number}" for number in range(len(shape.names)))
    connection.execute(
        "create or replace temp table landed_values as select row_number() over () as row_number,"
        f" * from {shape.scan(literal(clean), 0, max(1 << 21, 2 * longest))}"
    )
    connection.execute(
        "create or replace temp table landed_records as select landed_spans.row_number, line,"
        f" last_line, cast(null as varchar) as raw_text{columns} from landed_spans"
        " inner join landed_values on landed_spans.row_number = landed_values.row_number"
    )
    spans, values, records = (
        connection.execute(f"select count(*) from {table}").fetchone()[0]
        for table in ("landed_spans", "landed_values", "landed_records")
    )
    if not spans == values == records:
        raise Unreadable(f"its records cannot be told apart: {spans} by line, {values} by value")


def _classify(connection: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Create landed_quoted: for lines with a quote, what they can be.

    is_record: complete in itself; opens: ends inside quotes; closes: the end of a quoted value
    and what follows it; reopens: closes one and ends inside another; is_inside: all of it can be
    within quotes.
    """
    delimiter = "\\" + shape.delimiter if shape.delimiter == "|" else shape.delimiter
    plain = f'(?:[^"{shape.delimiter}][^{shape.delimiter}]*)?'
    closed = '"(?:[^"]|"")*"'
    value = f"(?:{closed}|{plain})"
    start = f"(?:{value}{delimiter})*"
    more = f"(?:{delimiter}{value})*"
    inside = '(?:[^"]|"")*'
    patterns = {
        "is_record": f"{value}{more}",
        "opens": f'{start}"{inside}',
        "closes": f'{inside}"{more}',
        "reopens": f'{inside}"{more}{delimiter}"{inside}',
        "is_inside": inside,
    }
    tests = ", ".join(
        f"regexp_full_match(text, {literal('(?s)' + pattern)}) as {name}"
        for name, pattern in patterns.items()
    )
    connection.execute(
        "insert into landed_rejects select line, 'not UTF-8', text from landed_lines"
        f" where not is_utf8 and line > {shape.skip}"
    )
    connection.execute(
        f"create or replace temp table landed_quoted as select line, {tests} from landed_lines"
        f" where contains(text, '\"') and is_utf8 and line > {shape.skip}"
    )
    connection.execute(
        "create or replace temp table landed_spans as"
        " select line, line as last_line, text from landed_lines where trim(text) <> ''"
        f" and is_utf8 and line > {shape.skip}"
    )


def _join_records(connection: duckdb.DuckDBPyConnection) -> None:
    """Join the lines of a record that goes over several; reject quotes that are never closed.

    Walks over the lines with an odd quote only, and over those between which a record stands.
    """
    marked = connection.execute(
        "select line, is_record, opens, closes, reopens from landed_quoted"
        " where not is_record or not is_inside order by line"
    ).fetchall()
    joined: list[tuple[int, int]] = []
    broken: list[tuple[int, str]] = []
    position = 0
    while position < len(marked):
        line, is_record, opens, _, _ = marked[position]
        if is_record:
            position += 1
            continue
        if not opens:
            broken.append((line, "a quote inside a value, or text after a closing quote"))
            position += 1
            continue
        end = position + 1
        while end < len(marked) and marked[end][4] and not marked[end][3]:
            end += 1
        if end < len(marked) and marked[end][3]:
            joined.append((line, marked[end][0]))
            position = end + 1
        else:
            broken.append((line, "a quote is never closed"))
            position += 1
    connection.execute("create or replace temp table landed_joined (line bigint, last_line bigint)")
    _insert_pairs(connection, "landed_joined", joined)
    connection.execute("create or replace temp table landed_broken (line bigint, reason varchar)")
    _insert_pairs(connection, "landed_broken", broken)
    connection.execute(
        "insert into landed_rejects select landed_broken.line, landed_broken.reason,"
        " landed_spans.text from landed_broken inner join landed_spans using (line)"
    )
    connection.execute("delete from landed_spans where line in (select line from landed_broken)")
    if not joined:
        return
    connection.execute(
        "create or replace temp table landed_long as select landed_joined.line,"
        " landed_joined.last_line, string_agg(landed_lines.text, chr(10)"
        " order by landed_lines.line) as text, bool_and(landed_lines.is_utf8) as is_utf8"
        " from landed_joined inner join landed_lines"
        " on landed_lines.line between landed_joined.line and landed_joined.last_line group by all"
    )
    connection.execute(
        "delete from landed_rejects where exists (select 1 from landed_long"
        " where landed_rejects.line between landed_long.line and landed_long.last_line)"
    )
    connection.execute(
        "delete from landed_spans where exists (select 1 from landed_long"
        " where landed_spans.line between landed_long.line and landed_long.last_line)"
    )
    connection.execute(
        "insert into landed_rejects select line, 'not UTF-8', text from landed_long"
        " where not is_utf8"
    )
    connection.execute(
        "insert into landed_spans select line, last_line, text from landed_long where is_utf8"
    )


def _insert_pairs(
    connection: duckdb.DuckDBPyConnection, table: str, pairs: list[tuple[int, object]]
) -> None:
    if pairs:
        connection.execute(
            f"insert into {table} select unnest($first), unnest($second)",
            {"first": [pair[0] for pair in pairs], "second": [pair[1] for pair in pairs]},
        )


def _judge(connection: duckdb.DuckDBPyConnection, shape: Shape) -> None:
    """Reject records with another number of values than the header, and number the others."""
    delimiter = literal(shape.delimiter)
    escaped = "\\|" if shape.delimiter == "|" else shape.delimiter
    quoted_value = f'(?s)(^|{escaped})"(?:[^"]|"")*"'
    unquoted = (
        "case when contains(text, '\"')"
        f" then regexp_replace(text, {literal(quoted_value)}, '\\1', 'g') else text end"
    )
    connection.execute(
        "create or replace temp table landed_counted as select *,"
        f" 1 + length({unquoted}) - length(replace({unquoted}, {delimiter}, '')) as values_count,"
        f" contains({unquoted}, chr(13)) as has_return,"
        f" strlen(text) > {_MAX_RECORD} as is_too_long from landed_spans"
    )
    expected = len(shape.names)
    connection.execute(
        "insert into landed_rejects select line,"
        " case when is_too_long then 'longer than 64 MB'"
        " when has_return then 'a carriage return within the line' else"
        f" values_count || ' values where the header has {expected}' end, text"
        f" from landed_counted where values_count <> {expected} or is_too_long or has_return"
    )
    connection.execute(
        "create or replace temp table landed_spans as select"
        " row_number() over (order by line) as row_number, line, last_line, text"
        f" from landed_counted where values_count = {expected} and not is_too_long"
        " and not has_return"
    )


def _write_clean(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Write the records that are good to a file; return the length of the longest in bytes."""
    connection.execute(
        f"copy (select text from landed_spans order by row_number) to {literal(path)}"
        " (format csv, header false, quote '', escape '', delimiter '\x1e')"
    )
    return connection.execute("select coalesce(max(strlen(text)), 0) from landed_spans").fetchone()[
        0
    ]
