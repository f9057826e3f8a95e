"""Read one landed file into two temporary tables: its typed rows, and the lines that are none.

`landed_rows`: row_number, line, last_line, raw_text, the dataset's columns in their types, extra,
reason (empty when the row is good). `landed_rejects`: line, reason, raw_text. Files are read by
DuckDB; a file that it cannot read whole is read a second time, line by line, to say where.
"""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow

from apportion import casts, csv_lines, lines
from apportion.datasets import NOUNS, SQL_TYPES, Column, Dataset
from apportion.lines import Unreadable, glob_free
from apportion.warehouse import identifier, literal

FORMATS = ("jsonl", "ndjson", "json", "csv", "tsv", "parquet")
COMPRESSIONS = {"gz": "gzip", "zst": "zstd"}

# rows; of a file with more bad rows than this, all lines are read.
_MOST_PICKED = 100_000
_MAGIC = (
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"PK\x03\x04", "a zip or Excel file"),
    (b"%PDF", "a PDF file"),
    (b"\xff\xfe", "UTF-16 text, which must be saved as UTF-8"),
    (b"\xfe\xff", "UTF-16 text, which must be saved as UTF-8"),
)


@dataclass(frozen=True)
class Source:
    """One column or key of a file.

    Attributes:
        name: as the file writes it.
        value: SQL of its value.
        family: family of its type, see `casts.family`.
    """

    name: str
    value: str
    family: str = "text"


@dataclass(frozen=True)
class FileColumn:
    """One column of a file's header, or one key of its JSON objects.

    Attributes:
        position: place in the header, from 1; None for a key, since keys have no order.
        header: the name as the file writes it.
        column_name: the column of raw that its values are in; `extra` where the name is unknown.
        kind: family of the type that the file declares, see `casts.family`; text where it declares
            none (CSV, JSON), none where the type says that there is no value.
    """

    position: int | None
    header: str
    column_name: str
    kind: str


@dataclass(frozen=True)
class Headers:
    """How the names in files are matched to columns: by name, any case, then by alias.

    Attributes:
        dataset: the dataset.
        aliases: lower-case alias to column.
    """

    dataset: Dataset
    aliases: Mapping[str, str]

    def column(self, name: str) -> str | None:
        """The column that a name in a file means; None: it is unknown."""
        name = name.strip().lower()
        columns = {column.name for column in self.dataset.columns}
        if name in columns:
            return name
        # An alias for every dataset means nothing in one that has no such column.
        column = self.aliases.get(name)
        return column if column in columns else None

    def match(self, sources: Sequence[Source]) -> tuple[dict[str, list[Source]], list[Source]]:
        """Sources per column, the column's own name before its aliases, and the unknown ones."""
        known: dict[str, list[Source]] = {}
        unknown = []
        for source in sources:
            column = self.column(source.name)
            if column is None:
                unknown.append(source)
            else:
                known.setdefault(column, []).append(source)
        for column, candidates in known.items():
            candidates.sort(key=lambda source: source.name.strip().lower() != column)
        return known, unknown


def read_aliases(path: Path) -> dict[str, dict[str, str]]:
    """Aliases by dataset ('*': all of them) from seeds/column_aliases.csv."""
    aliases: dict[str, dict[str, str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            aliases.setdefault(row["dataset"], {})[row["alias"].strip().lower()] = row["column"]
    return aliases


def file_format(path: Path) -> tuple[str, str | None] | None:
    """Format and compression by a file's ending; None: it is not one of ours."""
    parts = path.name.lower().split(".")
    compression = COMPRESSIONS.get(parts[-1])
    if compression:
        parts = parts[:-1]
    if len(parts) < 2 or parts[-1] not in FORMATS:
        return None
    return parts[-1], compression


def read(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    headers: Headers,
    scratch: Path,
    latest: dt.datetime,
) -> list[FileColumn]:
    """Read one file into the temporary tables landed_rows and landed_rejects.

    Args:
        connection: the warehouse, outside a transaction.
        path: the file.
        headers: how its names are matched.
        scratch: folder for what is unpacked or rewritten on the way.
        latest: an occurrence later than this is a mistake.

    Returns:
        The columns that the file has; none for an empty file.

    Raises:
        Unreadable: the file is not what its ending says.
        duckdb.Error, OSError: it cannot be read.
    """
    kind, compression = file_format(path)
    if compression:
        path = _unpack(path, compression, scratch)
    connection.execute(
        "create or replace temp table landed_rejects"
        " (line bigint, reason varchar, raw_text varchar)"
    )
    typed = Typed(connection, headers, latest)
    if kind == "parquet":
        try:
            _read_parquet(typed, path)
        except (duckdb.InvalidInputException, duckdb.IOException) as error:
            what = str(error).splitlines()[0].replace(str(path), "it")
            raise Unreadable(f"broken Parquet: {what}") from error
        return typed.columns
    head = _head(path)
    if not head.strip():
        typed.write(
            "select 1 as row_number, 1 as line, 1 as last_line, '' as raw_text where false", []
        )
    elif kind in ("csv", "tsv"):
        _read_csv(typed, path, head, scratch)
    else:
        _read_json(typed, path, head)
    return typed.columns


def _unpack(path: Path, compression: str, scratch: Path) -> Path:
    plain = scratch / "unpacked"
    try:
        with (
            pyarrow.input_stream(str(path), compression=compression) as packed,
            plain.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, 1 << 22)
    except OSError as error:
        raise Unreadable(f"cannot be unpacked as {compression}: {error}") from error
    return plain


def _head(path: Path) -> bytes:
    """The first bytes of a text file, without the mark of UTF-8.

    Raises:
        Unreadable: it is no text.
    """
    with path.open("rb") as file:
        head = file.read(1 << 20)
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise Unreadable(f"not text: this is {what}")
    if b"\0" in head[:1024]:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise Unreadable(f"not text: it holds NUL bytes, first in line {line}")
    return head.removeprefix(b"\xef\xbb\xbf")


class Typed:
    """Writes landed_rows: values cast to their columns, each row with the reasons against it."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, headers: Headers, latest: dt.datetime
    ):
        self.connection = connection
        self.headers = headers
        self.latest = latest
        self.columns: list[FileColumn] = []

    def see(
        self, sources: Sequence[Source], *, is_ordered: bool, untyped: Container[str] = ()
    ) -> None:
        """Keep which columns the file has, for `columns`.

        Args:
            sources: the file's columns or keys.
            is_ordered: whether they stand in an order.
            untyped: names of columns whose type says that they have no value.
        """
        self.columns = [
            FileColumn(
                number if is_ordered else None,
                source.name,
                self.headers.column(source.name) or "extra",
                "none" if source.name in untyped else source.family,
            )
            for number, source in enumerate(sources, 1)
        ]

    def write(self, relation: str, sources: Sequence[Source], extra: str | None = None) -> int:
        """Create landed_rows from a relation and return how many rows have a reason against them.

        Args:
            relation: SQL with row_number, line, last_line, raw_text and what the sources name.
            sources: the file's columns or keys.
            extra: SQL of the column extra; None: it is made of the unknown sources.
        """
        dataset = self.headers.dataset
        known, unknown = self.headers.match(sources)
        spare = unknown + [source for candidates in known.values() for source in candidates[1:]]
        delivered, typed, reasons = [], [], []
        for column in dataset.columns:
            candidates = known.get(column.name, [])
            name = identifier(column.name)
            raw = identifier(f"delivered_{column.name}")
            if not candidates:
                typed.append(f"cast(null as {column.sql_type}) as {name}")
                if column.is_required:
                    reasons.append(literal(f"{column.name} is missing"))
                continue
            families = {source.family for source in candidates}
            family = families.pop() if len(families) == 1 else "text"
            values = [casts.present(source.value, source.family) for source in candidates]
            if family == "text" and len(candidates) > 1:
                values = [f"cast({value} as varchar)" for value in values]
            delivered.append(f"coalesce({', '.join(values)}) as {raw}")
            typed.append(f"{casts.cast(column, raw, family)} as {name}")
            reasons.append(self._reason(column, raw, name))
        if dataset.one_of:
            present = [identifier(name) for name in dataset.one_of]
            reasons.append(
                f"case when coalesce({', '.join(present)}) is null"
                f" then {literal('one of ' + ', '.join(dataset.one_of) + ' is needed')} end"
            )
        reasons += [_amount_reason(column, name) for column, name in dataset.amounts]
        columns = [identifier(column.name) for column in dataset.columns]
        final = list(columns)
        if dataset.key:
            key = identifier(dataset.key)
            parts = ", ".join(f"coalesce(cast({name} as varchar), chr(30))" for name in columns)
            parts += ", coalesce(cast(extra as varchar), chr(30))"
            final[columns.index(key)] = (
                f"coalesce({key}, md5(concat_ws(chr(31), {parts}))) as {key}"
            )
        if extra is None:
            extra = _extra(spare)
        self.connection.execute(
            "create or replace temp table landed_rows as"
            f" with file as ({relation}),"
            f" delivered as (select row_number, line, last_line, raw_text, {extra} as extra"
            f"{''.join(', ' + item for item in delivered)} from file),"
            f" typed as (select *, {', '.join(typed)} from delivered),"
            f" judged as (select *, concat_ws('; ', {', '.join(reasons)}) as reason from typed)"
            f" select row_number, line, last_line, raw_text, {', '.join(final)}, extra, reason"
            " from judged"
        )
        return self.bad_rows()

    def bad_rows(self) -> int:
        """How many of landed_rows have a reason against them."""
        return self.connection.execute(
            "select count(*) from landed_rows where reason <> ''"
        ).fetchone()[0]

    def bad_spans(self) -> list[tuple[int, int]]:
        """First and last line of each of landed_rows with a reason against it, in order."""
        return self.connection.execute(
            "select line, last_line from landed_rows where reason <> '' order by line"
        ).fetchall()

    def _reason(self, column: Column, raw: str, name: str) -> str:
        """SQL of what is wrong with a value, for people; null where nothing is."""
        shown = f"left(replace(cast({raw} as varchar), chr(10), ' '), 100)"
        cases = []
        if column.is_required:
            cases.append(f"when {raw} is null then {literal(f'{column.name} is missing')}")
        if column.kind != "text" or column.is_required:
            cases.append(
                f"when {raw} is not null and {name} is null then {literal(column.name + ': ')}"
                f" || '''' || {shown} || ''' is not ' || {literal(NOUNS[column.kind])}"
            )
        else:
            cases.append(
                f"when {raw} is not null and {name} is null then"
                f" {literal(column.name + ': not a text')}"
            )
        if column.is_occurrence:
            latest = f"timestamp {literal(self.latest.isoformat(sep=' '))}"
            cases.append(
                f"when not ({name} >= timestamp '1970-01-01' and {name} <= {latest}) then"
                f" {literal(column.name + ': ')} || '''' || {shown} || ''' is not between"
                f" 1970-01-01 and tomorrow'"
            )
        return f"case {' '.join(cases)} end"


def _amount_reason(column: str, name: str) -> str:
    """SQL of what is wrong with an amount within a JSON column; null where nothing is."""
    text = f"json_extract_string({identifier(column)}, {literal(f'$.{name}')})"
    return (
        f"case when {text} <> '' and try_cast({text} as {SQL_TYPES['money']}) is null"
        f" then {literal(f'{column}.{name}: ')} || chr(39) || left({text}, 100)"
        f" || {literal(chr(39) + ' is not ' + NOUNS['money'])} end"
    )


def _extra(sources: Sequence[Source]) -> str:
    """SQL of a JSON object of the sources that have a value; null when none has."""
    if not sources:
        return "cast(null as json)"
    entries, names = [], set()
    # In order of name, so that equal rows have equal text whatever the order of the file's columns.
    for source in sorted(sources, key=lambda source: source.name):
        name, count = source.name, 1
        while name in names:
            count += 1
            name = f"{source.name}_{count}"
        names.add(name)
        value = casts.present(source.value, source.family)
        entries.append(f"{{'name': {literal(name)}, 'value': to_json({value})}}")
    kept = f"list_filter([{', '.join(entries)}], lambda item: item.value is not null)"
    return (
        f"case when len({kept}) > 0 then to_json(map("
        f"list_transform({kept}, lambda item: item.name),"
        f" list_transform({kept}, lambda item: item.value))) end"
    )


def _read_parquet(typed: Typed, path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            raise Unreadable("not a Parquet file")
    scan = f"read_parquet({glob_free(path)}, file_row_number=true, binary_as_string=true,"
    scan += " hive_partitioning=false)"
    described = typed.connection.execute(f"describe select * from {scan}").fetchall()
    sources = [
        Source(row[0], f"file.{identifier(row[0])}", casts.family(row[1]))
        for row in described
        if row[0] != "file_row_number"
    ]
    _need_known_column(typed.headers, [source.name for source in sources])
    # What pyarrow and pandas write for a column that is wholly empty; DuckDB calls it an integer.
    untyped = typed.connection.execute(
        f"select name from parquet_schema({glob_free(path)}) where logical_type = 'NullType()'"
    ).fetchall()
    typed.see(sources, is_ordered=True, untyped={name for (name,) in untyped})
    renamed = [
        Source(source.name, f"column_{number}", source.family)
        for number, source in enumerate(sources)
    ]
    columns = "".join(
        f", {source.value} as column_{number}" for number, source in enumerate(sources)
    )
    values = [f"{literal(source.name)}: column_{n}" for n, source in enumerate(sources)]
    relation = (
        "select file_row_number + 1 as row_number, row_number as line, row_number as last_line,"
        f" cast(null as varchar) as raw_text{columns} from {scan} as file"
    )
    if not typed.write(relation, renamed):
        return
    # The row itself is only written out where there is something to say about it.
    typed.connection.execute(
        f"update landed_rows set raw_text = source.raw_text from (select row_number,"
        f" cast(to_json({{{', '.join(values)}}}) as varchar) as raw_text from ({relation})"
        " where row_number in (select row_number from landed_rows where reason <> '')) as source"
        " where landed_rows.row_number = source.row_number"
    )


def _need_known_column(headers: Headers, names: Sequence[str]) -> None:
    if not any(headers.column(name) for name in names):
        expected = ", ".join(column.name for column in headers.dataset.columns[:5])
        raise Unreadable(f"its header names no column of {headers.dataset.name} ({expected}, ...)")


def _read_csv(typed: Typed, path: Path, head: bytes, scratch: Path) -> None:
    shape = csv_lines.Shape.of(head, typed.headers.column)
    _need_known_column(typed.headers, shape.names)
    sources = [Source(name, f"c{number}") for number, name in enumerate(shape.names)]
    typed.see(sources, is_ordered=True)
    found = lines.count(path)
    try:
        for spans_lines in (False, True):
            # The second time only where what is missing may stand within the values.
            if spans_lines and not found.has_quotes:
                break
            bad = typed.write(shape.records(glob_free(path), spans_lines=spans_lines), sources)
            if not found.has_blanks and _last_line(typed, shape.skip) == found.lines:
                if bad > _MOST_PICKED:
                    break
                if bad:
                    lines.pick(typed.connection, path, typed.bad_spans())
                    _write_texts(typed.connection, "landed_picked")
                return
    except duckdb.InvalidInputException:
        pass  # Something in it is not CSV: find out which lines.
    lines.load(typed.connection, path)
    csv_lines.split(typed.connection, shape, scratch)
    typed.write("select * from landed_records", sources)
    _write_texts(typed.connection, "landed_lines")


def _last_line(typed: Typed, otherwise: int) -> int:
    """The physical line that the rows end in.

    DuckDB drops a quote that is open at the end of the file without a word, so it is compared with
    the number of lines.
    """
    return typed.connection.execute(
        "select coalesce(max(last_line), ?) from landed_rows", [otherwise]
    ).fetchone()[0]


def _write_texts(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Give the rows that are not good their text, of a table of physical lines."""
    connection.execute(
        "update landed_rows set raw_text = source.raw_text from ("
        " select landed_rows.row_number, string_agg(file_lines.text, chr(10)"
        " order by file_lines.line) as raw_text from landed_rows"
        f" inner join {table} as file_lines on file_lines.line"
        " between landed_rows.line and landed_rows.last_line"
        " where landed_rows.reason <> '' group by all) as source"
        " where landed_rows.row_number = source.row_number"
    )


def _pointer(key: str) -> str:
    """JSON pointer (RFC 6901) of a key of an object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _read_json(typed: Typed, path: Path, head: bytes) -> None:
    connection = typed.connection
    first = head.lstrip()
    if first[:1] == b"[":
        try:
            if not _ends_with(path, b"]"):
                raise duckdb.InvalidInputException("the array has no end")
            connection.execute(
                "create or replace temp table landed_lines as select"
                " row_number() over () as number,"
                " number as line, cast(json as varchar) as text, true as is_utf8"
                f" from read_json_objects({glob_free(path)}, format='array',"
                " compression='uncompressed', maximum_object_size=67108864)"
            )
            if not _write_json(typed):
                return
        except duckdb.InvalidInputException:
            pass  # It breaks off, or something in it is not JSON: find out where.
        connection.execute("delete from landed_rejects")
        lines.load_values(connection, path)
    elif first[:1] == b"{" and lines.spans_lines(first):
        lines.load_values(connection, path)
    else:
        if not _scan_json_lines(connection, path, head):
            lines.load(connection, path)
        objects = "select count(*) from landed_lines where starts_with(ltrim(text), '{')"
        if not connection.execute(objects).fetchone()[0]:
            raise Unreadable("not JSON: no line of it is an object")
    _write_json(typed)


def _scan_json_lines(connection: duckdb.DuckDBPyConnection, path: Path, head: bytes) -> bool:
    """Create landed_lines by DuckDB's reader of JSON lines, which knows a broken line when it sees
    one; False where it would not find each physical line."""
    found = lines.count(path)
    if found.has_blanks or (found.lines == 1 and b"\r" in head.strip()):
        return False
    try:
        connection.execute(
            "create or replace temp table landed_lines as select row_number() over () as number,"
            " number as line, cast(json as varchar) as text, true as is_utf8"
            f" from read_json_objects({glob_free(path)}, format='newline_delimited',"
            " ignore_errors=true, compression='uncompressed', maximum_object_size=67108864)"
        )
    except duckdb.InvalidInputException:
        return False
    rows = connection.execute("select count(*) from landed_lines").fetchone()[0]
    broken = connection.execute(
        "select line, line from landed_lines where text is null order by line"
    ).fetchall()
    if rows != found.lines or len(broken) > _MOST_PICKED:
        return False
    lines.pick(connection, path, broken)
    connection.execute(
        "update landed_lines set text = picked.text, is_utf8 = picked.is_utf8"
        " from landed_picked as picked where landed_lines.number = picked.number"
    )
    return True


def _ends_with(path: Path, mark: bytes) -> bool:
    """Whether the last byte of a file that is not blank is this one."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().rstrip().endswith(mark)


def _write_json(typed: Typed) -> int:
    """Type landed_lines, one JSON object in each; return how many rows and lines are not good."""
    connection = typed.connection
    is_object = (
        "case when is_utf8 and json_valid(text)"
        " then starts_with(ltrim(text, concat(' ', chr(9), chr(10), chr(13))), '{') else false end"
    )
    connection.execute(
        "create or replace temp table landed_others as select * from landed_lines"
        f" where not {is_object}"
    )
    connection.execute(
        "insert into landed_rejects select line, case when not is_utf8 then 'not UTF-8'"
        " when not json_valid(text) then 'broken JSON' else 'not a JSON object' end, text"
        " from landed_others where trim(text, chr(32) || chr(9)) <> ''"
    )
    connection.execute(
        "delete from landed_lines where number in (select number from landed_others)"
    )
    keys = connection.execute(
        "select distinct unnest(json_keys(text)) as key from landed_lines order by key"
    ).fetchall()
    found_keys = [Source(key, "") for (key,) in keys]
    typed.see(found_keys, is_ordered=False)
    known, _ = typed.headers.match(found_keys)
    used = [source.name for candidates in known.values() for source in candidates]
    main = [candidates[0].name for candidates in known.values()]
    sources = [Source(key, f"found[{number}]") for number, key in enumerate(used, 1)]
    pointers = ", ".join(literal(_pointer(key)) for key in used)
    found = f"json_extract_string(text, [{pointers}])" if used else "cast(null as varchar[])"
    if set(main) == {source.name for source in found_keys}:
        others, extra = "cast(null as varchar[])", "cast(null as json)"
    else:
        listed = ", ".join(literal(key) for key in main)
        others = (
            "list_sort(list_distinct(list_filter(json_keys(text),"
            f" lambda key: not list_contains([{listed}]::varchar[], key))))"
        )
        extra = (
            "case when len(others) > 0 then to_json(map(others, list_transform(others, lambda key:"
            " json_extract(text, '/' || replace(replace(key, '~', '~0'), '/', '~1'))))) end"
        )
    bad = typed.write(
        "select number as row_number, line, line as last_line, cast(null as varchar) as raw_text,"
        f" text, {others} as others, {found} as found from landed_lines",
        sources,
        extra,
    )
    if bad:
        connection.execute(
            "update landed_rows set raw_text = landed_lines.text from landed_lines"
            " where landed_rows.reason <> '' and landed_rows.row_number = landed_lines.number"
        )
    return bad + connection.execute("select count(*) from landed_rejects").fetchone()[0]
