"""Landed files written anew without some of their rows, or with other values in them.

What is not concerned stays as it is, byte by byte in text files. Formats and compressions are those
that the loader reads.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow

from apportion import csv_lines, readers
from apportion.datasets import Dataset
from apportion.errors import ApportionError
from apportion.lines import glob_free
from apportion.settings import PROJECT
from apportion.warehouse import identifier

Row = Mapping[str, Any]
"""A row of raw by column; `extra` is JSON of the columns that raw does not have."""


@dataclass(frozen=True)
class Span:
    """Where a row stands.

    Attributes:
        line, last_line: physical lines, from 1; in Parquet and JSON arrays the row's number.
        number: of the row as the loader counts it; None where it could not be loaded.
    """

    line: int
    last_line: int
    number: int | None


Edit = tuple[Span, Row | None]
"""A row and what it says from now on; None: it goes."""


def headers(dataset: Dataset) -> readers.Headers:
    """How the loader matches the names in a data set's files to columns."""
    aliases = readers.read_aliases(PROJECT / "seeds" / "column_aliases.csv")
    return readers.Headers(dataset, {**aliases.get("*", {}), **aliases.get(dataset.name, {})})


def write(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    target: Path,
    dataset: Dataset,
    edits: Sequence[Edit],
) -> None:
    """Write a file as it is but for the edits.

    Args:
        connection: any, to read and write Parquet.
        path: the landed file.
        target: the file to write; its ending is the same.
        dataset: whose rows it holds.
        edits: at most one per row.

    Raises:
        ApportionError: it cannot be taken apart by rows.
    """
    kind, compression = readers.file_format(path)
    if kind == "parquet":
        _write_parquet(connection, path, target, dataset, edits)
        return
    with _opened(path, compression) as source, _created(target, compression) as file:
        if kind in ("csv", "tsv"):
            _write_csv(source, file, dataset, edits)
        elif _is_array(source):
            _write_array(path, source, file, dataset, edits)
        else:
            _write_lines(path, source, file, dataset, edits)


def replace(written: Path, path: Path) -> None:
    """Put a written file in the place of a landed one, in one rename."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.copyfile(written, partial)
    shutil.copymode(path, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def _opened(path: Path, compression: str | None) -> Iterator[BinaryIO]:
    if compression:
        with pyarrow.input_stream(str(path), compression=compression) as packed:
            yield io.BytesIO(packed.read())
    else:
        with path.open("rb") as file:
            yield file


@contextmanager
def _created(path: Path, compression: str | None) -> Iterator[BinaryIO]:
    if compression == "gzip":
        # Without a time within, equal content gives an equal file.
        with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            yield packed
    elif compression:
        with pyarrow.output_stream(str(path), compression=compression) as packed:
            yield packed
    else:
        with path.open("wb") as file:
            yield file


def _by_line(edits: Sequence[Edit]) -> dict[int, tuple[int, Row | None]]:
    """First line to last line and what stands there from now on."""
    return {span.line: (span.last_line, row) for span, row in edits}


def _edited(source: BinaryIO, edits: Sequence[Edit]) -> Iterator[tuple[bytes, Row | None]]:
    """Lines to write as they are, or the last line of a record with what takes its place."""
    by_line = _by_line(edits)
    until, row = 0, None
    for number, line in enumerate(source, 1):
        if number in by_line:
            until, row = by_line[number]
        if number > until:
            yield line, None
        elif number == until and row is not None:
            yield line, row


def _write_csv(source: BinaryIO, file: BinaryIO, dataset: Dataset, edits: Sequence[Edit]) -> None:
    names = headers(dataset)
    head = source.read(1 << 20).removeprefix(b"\xef\xbb\xbf")
    source.seek(0)
    shape = csv_lines.Shape.of(head, names.column)
    sources = _sources(names, shape.names)
    for line, row in _edited(source, edits):
        if row is None:
            file.write(line)
            continue
        text = io.StringIO()
        end = "\r\n" if line.endswith(b"\r\n") else "\n"
        writer = csv.writer(text, delimiter=shape.delimiter, lineterminator=end)
        writer.writerow([_as_text(value) for value in _values(sources, row)])
        file.write(text.getvalue().encode())


def _is_array(source: BinaryIO) -> bool:
    head = source.read(1 << 20).removeprefix(b"\xef\xbb\xbf").lstrip()
    source.seek(0)
    return head[:1] == b"["


def _write_array(
    path: Path, source: BinaryIO, file: BinaryIO, dataset: Dataset, edits: Sequence[Edit]
) -> None:
    try:
        values = json.loads(source.read().decode("utf-8-sig"))
    except ValueError as error:
        raise _unreadable(path) from error
    by_number = {span.number or span.line: row for span, row in edits}
    kept = [
        value if number not in by_number else _as_object(dataset, value, by_number[number])
        for number, value in enumerate(values, 1)
        if by_number.get(number, value) is not None
    ]
    file.write(json.dumps(kept, ensure_ascii=False).encode() + b"\n")


def _write_lines(
    path: Path, source: BinaryIO, file: BinaryIO, dataset: Dataset, edits: Sequence[Edit]
) -> None:
    known = {span.line for span, _ in edits if span.number is not None}
    for number, line in enumerate(source, 1):
        if number in known:
            _object_of(path, line)
    source.seek(0)
    for line, row in _edited(source, edits):
        if row is not None:
            value = _as_object(dataset, _object_of(path, line), row)
            line = json.dumps(value, ensure_ascii=False).encode() + b"\n"
        file.write(line)


def _object_of(path: Path, line: bytes) -> dict[str, Any]:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except ValueError as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> ApportionError:
    return ApportionError(
        f"{path} is JSON over several lines, or broken: rows of erased people cannot be taken out",
        f"write {path} with one object a line, then: apportion erase",
    )


def _as_object(dataset: Dataset, value: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """An object with the keys that it had, as far as the row has a value for them."""
    given = _values(_sources(headers(dataset), list(value)), row)
    kinds = {column.name: column.kind for column in dataset.columns}
    names = headers(dataset)
    return {
        key: json.loads(new) if kinds.get(names.column(key)) == "json" else _as_text(new)
        for key, new in zip(value, given, strict=True)
        if new is not None
    }


def _sources(names: readers.Headers, found: Sequence[str]) -> list[tuple[str, str | None]]:
    """Each name in a file with the column that it gives; None: it is in `extra`."""
    first, _ = names.match([readers.Source(name, "") for name in found])
    giving = {candidates[0].name: column for column, candidates in first.items()}
    return [(name, giving.get(name)) for name in found]


def _values(sources: Sequence[tuple[str, str | None]], row: Row) -> list[Any]:
    extra = json.loads(row["extra"]) if row["extra"] else {}
    return [row[column] if column else extra.get(name) for name, column in sources]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _write_parquet(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    target: Path,
    dataset: Dataset,
    edits: Sequence[Edit],
) -> None:
    scan = f"read_parquet({glob_free(path)}, file_row_number=true, hive_partitioning=false)"
    described = connection.execute(f"describe select * from {scan}").fetchall()
    columns = [(row[0], row[1]) for row in described if row[0] != "file_row_number"]
    sources = _sources(headers(dataset), [name for name, _ in columns])
    rows = [(span.line - 1, row) for span, row in edits]
    connection.execute("create or replace temp table rewritten_gone (place bigint)")
    for place, row in rows:
        if row is None:
            connection.execute("insert into rewritten_gone values (?)", [place])
    texts = ", ".join(f"c{number} varchar" for number in range(len(columns)))
    connection.execute(f"create or replace temp table rewritten (place bigint, {texts})")
    marks = ", ".join("?" * (len(columns) + 1))
    for place, row in rows:
        if row is not None:
            values = [None if value is None else _as_text(value) for value in _values(sources, row)]
            connection.execute(f"insert into rewritten values ({marks})", [place, *values])
    picked = ", ".join(
        f"case when rewritten.place is null then file.{identifier(name)}"
        f" else {_cast(f'rewritten.c{number}', kind)} end as {identifier(name)}"
        for number, (name, kind) in enumerate(columns)
    )
    connection.execute(
        f"copy (select {picked} from {scan} as file"
        " left join rewritten on file.file_row_number = rewritten.place"
        " where file.file_row_number not in (select place from rewritten_gone)"
        f" order by file.file_row_number) to {glob_free(target)} (format parquet)"
    )


def _cast(value: str, kind: str) -> str:
    nested = kind.startswith(("STRUCT", "MAP")) or kind.endswith("]")
    return f"cast(cast({value} as json) as {kind})" if nested else f"cast({value} as {kind})"
