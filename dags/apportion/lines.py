"""A text file as a table of its physical lines, or of its JSON values, each with its line."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from apportion.warehouse import literal

_CHUNK = 1 << 24
# A code point that Unicode reserves for use inside a program: it marks bytes that are not UTF-8.
_MARK = "\ufdd0"
_BLANK = " \t\r\n"
_TABLE = (
    "create or replace temp table {table}"
    " (number bigint, line bigint, text varchar, is_utf8 boolean)"
)


class Unreadable(Exception):
    """A file that is not what its ending says; the text is the reason, for people."""


def glob_free(path: Path) -> str:
    """A path as a SQL literal that DuckDB does not take for a pattern."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


@dataclass(frozen=True)
class Count:
    """What stands in a text file, counted in its bytes.

    Attributes:
        lines: physical lines, the blank ones at the end left out.
        has_quotes: there is a double quote.
        has_blanks: there is a blank line between others.
    """

    lines: int
    has_quotes: bool
    has_blanks: bool


def count(path: Path) -> Count:
    """Count the lines of a text file whose lines end in a line feed."""
    total, has_quotes, has_blanks, rest = 0, False, False, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            block = rest + chunk
            # Blank lines at the end of what was read wait until it is known whether more follows.
            kept = block.rstrip(b"\r\n")
            rest = block[len(kept) :]
            total += kept.count(b"\n")
            has_quotes = has_quotes or b'"' in kept
            has_blanks = has_blanks or b"\n\n" in kept or b"\n\r\n" in kept
    return Count(total + 1, has_quotes, has_blanks)


def _mark(error: UnicodeError) -> tuple[str, int]:
    wrong = error.object[error.start : error.end]
    return _MARK + "".join(f"\\x{byte:02x}" for byte in wrong), error.end


codecs.register_error("apportion_mark", _mark)


def load(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create landed_lines (number, line, text, is_utf8): every physical line, blank ones too.

    Bytes that are not UTF-8 are written as backslash-x-hex, and is_utf8 is false.
    """
    connection.execute(_TABLE.format(table="landed_lines"))
    count = 0
    for block, newline in _blocks(path):
        count += _insert(connection, block, count, newline)


def pick(
    connection: duckdb.DuckDBPyConnection, path: Path, spans: Sequence[tuple[int, int]]
) -> None:
    """Create landed_picked, as landed_lines of `load`, of some lines only.

    Args:
        connection: the warehouse.
        path: the file.
        spans: first and last line of each stretch, in order, without overlaps.
    """
    connection.execute(_TABLE.format(table="landed_picked"))
    wanted = (line for first, last in spans for line in range(first, last + 1))
    line, count = next(wanted, None), 0
    for block, newline in _blocks(path):
        texts = block.split(newline)
        numbers, found = [], []
        while line and line <= count + len(texts):
            numbers.append(line)
            found.append(texts[line - count - 1].decode("utf-8", "apportion_mark"))
            line = next(wanted, None)
        connection.execute(
            "insert into landed_picked select number, number,"
            " replace(regexp_replace(text, '\\r$', ''), $mark, ''), not contains(text, $mark)"
            " from (select unnest($numbers::bigint[]) as number,"
            " unnest($texts::varchar[]) as text)",
            {"mark": _MARK, "numbers": numbers, "texts": found},
        )
        if not line:
            return
        count += len(texts)


def _blocks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The bytes of a text file in blocks of whole lines, and what its lines end in."""
    rest, newline = b"", b""
    with path.open("rb") as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        while chunk := file.read(_CHUNK):
            newline = newline or (b"\r" if b"\n" not in chunk and b"\r" in chunk else b"\n")
            block, ending, after = (rest + chunk).rpartition(newline)
            if ending:
                yield block, newline
            rest = after
    if rest:
        yield rest, newline


def _insert(connection: duckdb.DuckDBPyConnection, block: bytes, count: int, newline: bytes) -> int:
    """Insert the lines of a block after `count` lines; return how many there are."""
    text = block.decode("utf-8", errors="apportion_mark")
    separator = newline.decode()
    connection.execute(
        "insert into landed_lines select $count + number, $count + number,"
        " replace(regexp_replace(text, '\\r$', ''), $mark, ''), not contains(text, $mark)"
        " from (select generate_subscripts(list, 1) as number, unnest(list) as text"
        " from (select string_split($text, $separator) as list))",
        {"count": count, "mark": _MARK, "text": text, "separator": separator},
    )
    return text.count(separator) + 1


def load_values(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create landed_lines of the JSON values of a file: an array, or values one after another.

    Where it breaks off, or is no JSON any more, the rest is written to landed_rejects.
    """
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "apportion_mark")
    spans, position, reason = _values(text)
    connection.execute(_TABLE.format(table="landed_lines"))
    line, reached = 1, 0
    for first in range(0, len(spans), 10_000):
        found: list[int] = []
        for start, _ in spans[first : first + 10_000]:
            line += text.count("\n", reached, start)
            reached = start
            found.append(line)
        connection.execute(
            "insert into landed_lines select $first + generate_subscripts($texts, 1),"
            " unnest($lines), replace(unnest($texts), $mark, ''),"
            " not contains(unnest($texts), $mark)",
            {
                "first": first,
                "lines": found,
                "texts": [text[start:end] for start, end in spans[first : first + 10_000]],
                "mark": _MARK,
            },
        )
    if reason:
        connection.execute(
            "insert into landed_rejects values (?, ?, ?)",
            [text.count("\n", 0, position) + 1, reason, text[position:].replace(_MARK, "")],
        )


def spans_lines(head: bytes) -> bool:
    """Whether a text begins with one JSON value that is written over several lines."""
    text = head.decode("utf-8", "apportion_mark")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (json.JSONDecodeError, RecursionError):
        return False
    return "\n" in text[:end]


def _skip(text: str, position: int) -> int:
    """The first position that is not blank."""
    while position < len(text) and text[position] in _BLANK:
        position += 1
    return position


def _values(text: str) -> tuple[list[tuple[int, int]], int, str]:
    """Start and end of every complete value; where reading stopped, and why ('': at the end)."""
    decoder = json.JSONDecoder()
    spans: list[tuple[int, int]] = []
    position = _skip(text, 0)
    is_array = text[position : position + 1] == "["
    if is_array:
        position = _skip(text, position + 1)
    while position < len(text):
        if (
            is_array
            and text[position] == "]"
            and (not spans or text[spans[-1][1] : position].strip() == "")
        ):
            position = _skip(text, position + 1)
            return spans, position, "text after the end" if position < len(text) else ""
        try:
            _, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            return spans, position, "broken JSON: the file cannot be read from here on"
        if end == len(text) and text[position] not in '{["':
            # A number or a word at the very end may be cut short.
            return spans, position, "broken JSON: the file breaks off here"
        spans.append((position, end))
        position = _skip(text, end)
        if is_array and position < len(text) and text[position] != "]":
            if text[position] != ",":
                return spans, position, "broken JSON: the file cannot be read from here on"
            position = _skip(text, position + 1)
    return spans, position, "broken JSON: the array breaks off here" if is_array else ""
