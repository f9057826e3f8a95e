"""Erased people: their rows leave raw, the quarantine and the landing files, and stay away.

Who was erased is kept as tombstones: salted hashes of identifiers, and of a device that others used
too the times that were theirs. A sweep takes every row of an erased person out. What totals need
stays without a person: orders, offline conversions and events that tell of a conversion keep what
was bought, when, and for how much. All of it follows from the tombstones and the rows alone, so a
sweep that was killed is finished by the next, and a file that is delivered again is swept again.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import logging
import re
import tempfile
import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from apportion import last_good, ledger, logs, lookups, readers, rewriting, transform, warehouse
from apportion.datasets import CLICK_IDS, DATASETS, Dataset
from apportion.errors import ApportionError
from apportion.identity import TYPES
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import identifier

LOGGER = logging.getLogger("apportion.erasure")
ERASED = "erased"
_PERSON_TYPES = ("user_id", "email", "phone", "contact_id")
# Characters; a shorter text that is no identifier's own column may be anything.
_SHORTEST = 6
_WORD = rf"[^\s\"'<>,;:=&?#/\\(){{}}\[\]|]{{{_SHORTEST},}}"

# The macros of the project, as functions of the warehouse: what is canonical is said once.
_FUNCTIONS = {
    "canonical_email(value)": "{{ normalise_identifier('email', 'value') }}",
    "canonical_phone(value)": "{{ normalise_identifier('phone', 'value') }}",
    "canonical_id(value)": "{{ normalise_identifier('user_id', 'value') }}",
    "identifier_hash(value)": "{{ hash_identifier('value') }}",
    "key_of(kind, hashed)": "{{ surrogate_key(['kind', 'hashed']) }}",
}


@dataclass(frozen=True)
class Rule:
    """What identifies in a data set, and what of a row stays when its person is erased.

    Attributes:
        identifiers: kind and SQL of each identifier.
        moment: SQL of when the row happened, for devices that were in several hands.
        kept: columns that stay; empty: the row goes.
        documents: of the kept JSON columns, the keys that stay; those of the conversion
            definitions stay too.
        has_name: only events that tell of a conversion stay.
        is_of_anybody: the row is an erased person's where any of its identifiers is.
    """

    identifiers: tuple[tuple[str, str], ...]
    moment: str = "cast(null as timestamp)"
    kept: tuple[str, ...] = ()
    documents: tuple[tuple[str, tuple[str, ...]], ...] = ()
    has_name: bool = False
    is_of_anybody: bool = False


def _plain(*kinds: str) -> tuple[tuple[str, str], ...]:
    return tuple((kind, identifier(kind)) for kind in kinds)


def _text(column: str, path: str) -> str:
    return f"json_extract_string({column}, '{path}')"


RULES = {
    "events": Rule(
        (
            *_plain("user_id", "email", "phone", "anonymous_id", "device_id"),
            ("click_id", f"coalesce(click_id, {', '.join(CLICK_IDS.split())})"),
        ),
        "occurred_at",
        (
            "event_name", "occurred_at", "sent_at", "received_at", "order_id", "product_id",
            "quantity", "value", "currency", "channel", "is_consented", "properties",
        ),
        (("properties", ()),),
        has_name=True,
    ),
    "segment": Rule(
        (
            *_plain("user_id", "anonymous_id"),
            ("user_id", "previous_id"),
            ("anonymous_id", "previous_id"),
            *(
                (kind, _text(column, f"$.{path}{kind}"))
                for kind in ("email", "phone")
                for column, path in (("traits", ""), ("context", "traits."), ("properties", ""))
            ),
        ),
        "coalesce(original_timestamp, timestamp, received_at)",
        (
            "type", "event", "timestamp", "original_timestamp", "sent_at", "received_at",
            "properties",
        ),
        (
            (
                "properties",
                ("order_id", "products", "product_id", "quantity", "revenue", "total", "value",
                 "currency"),
            ),
        ),
        has_name=True,
    ),
    "ga4": Rule(
        (("user_id", "user_id"), ("anonymous_id", "user_pseudo_id")),
        "event_timestamp",
        (
            "event_timestamp", "event_name", "event_date", "event_params",
            "event_bundle_sequence_id", "event_server_timestamp_offset", "privacy_info",
            "ecommerce", "items", "batch_event_index", "batch_ordering_id", "batch_page_id",
        ),
        (("event_params", ("transaction_id", "value", "currency")),),
        has_name=True,
    ),
    "orders": Rule(
        _plain("user_id", "email", "anonymous_id"),
        "ordered_at",
        (
            "order_id", "ordered_at", "revenue", "currency", "discount", "shipping", "tax", "cost",
            "status", "channel",
        ),
    ),
    "offline_conversions": Rule(
        _plain("user_id", "email", "phone"),
        "converted_at",
        ("conversion_id", "converted_at", "conversion_type", "value", "currency"),
    ),
    "contacts": Rule(_plain("user_id", "email", "phone", "contact_id")),
    "profile_attributes": Rule(_plain("user_id", "email"), "observed_at"),
    "experiment_assignments": Rule(_plain("user_id", "anonymous_id"), "assigned_at"),
    "consents": Rule(_plain("user_id", "email", "anonymous_id"), "changed_at"),
    "privacy_requests": Rule(_plain("user_id", "email", "phone", "anonymous_id"), "requested_at"),
    "identity_matches": Rule(
        (("contact_id", "first_contact_id"), ("contact_id", "second_contact_id")),
        is_of_anybody=True,
    ),
    "identity_vetoes": Rule(
        tuple(
            (kind, f"case when {end}_type = '{kind}' then {end}_value end")
            for kind in TYPES
            for end in ("first", "second")
        ),
        is_of_anybody=True,
    ),
}  # fmt: skip
"""Every data set whose rows tell of people; the others are looked through for texts only."""


@dataclass
class Swept:
    """What a sweep did: rows that went, rows that stay without a person, files written anew."""

    deleted: int = 0
    anonymised: int = 0
    files: int = 0

    def __str__(self) -> str:
        return (
            f"{self.deleted:,} rows deleted, {self.anonymised:,} left without a person,"
            f" {self.files:,} landing files written anew"
        )


def prepare(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give the warehouse the functions of canonical identifiers and their hashes.

    Call `functions` before the warehouse is opened.
    """
    for signature, expression in functions(settings).items():
        connection.execute(f"create or replace temp macro {signature} as ({expression})")


_compiled: dict[Path, dict[str, str]] = {}


def functions(settings: Settings) -> dict[str, str]:
    """SQL of the project's macros of identifiers; compiled by dbt once, the warehouse closed."""
    if settings.data not in _compiled:
        mark = "\n/* next */\n"
        arguments = ["compile", "--inline", mark.join(_FUNCTIONS.values())]
        result = transform.invoke(settings, arguments, quiet=True)
        if not result.success:
            raise ApportionError(
                f"dbt cannot compile the macros of identifiers: {result.exception}",
                "apportion dbt parse",
            )
        code = result.result.results[0].node.compiled_code
        _compiled[settings.data] = dict(zip(_FUNCTIONS, code.split(mark.strip()), strict=True))
    return _compiled[settings.data]


def keep_out(night: Night) -> str:
    """After a load: take rows of erased people out of the files that are new or changed.

    Returns:
        What was done, to be added to the line of the step; empty where nothing was.
    """
    if not _unswept(night.settings):
        return ""
    functions(night.settings)
    with warehouse.connect(night.settings.warehouse) as connection:
        swept = sweep(connection, night.settings)
    if swept == Swept():
        return ""
    compact(night.settings)
    return f", of erased people: {swept}"


def _unswept(settings: Settings) -> bool:
    with warehouse.connect(settings.warehouse) as connection:
        return connection.execute(
            "select exists (from ops.tombstones) and exists ("
            "select file_seq, sha256 from raw._files"
            " except select file_seq, sha256 from ops.swept_files)"
        ).fetchone()[0]


def sweep(
    connection: duckdb.DuckDBPyConnection, settings: Settings, *, everything: bool = False
) -> Swept:
    """Take every row of a person with a tombstone out of raw, the quarantine and landing files.

    Args:
        connection: the warehouse, outside a transaction.
        settings: where everything is.
        everything: look through all files; else through those that were not swept yet.
    """
    prepare(connection, settings)
    connection.execute(
        "create or replace temp table swept as select file_seq, dataset, path, sha256, status"
        " from raw._files"
        + ("" if everything else " anti join ops.swept_files using (file_seq, sha256)")
    )
    find(connection)
    _find_texts(connection)
    swept = Swept()
    with tempfile.TemporaryDirectory(prefix="load-", dir=settings.data) as scratch:
        for file_seq, dataset, path, sha256 in connection.execute(
            "select file_seq, dataset, path, sha256 from raw._files where file_seq in ("
            " select file_seq from erased_rows union select file_seq from erased_texts"
            " union select file_seq from erased_lines) order by file_seq"
        ).fetchall():
            work = _File(connection, DATASETS[dataset], file_seq, Path(path), sha256, Path(scratch))
            work.clean(swept)
            LOGGER.info(logs.line(event="swept", dataset=dataset, file_seq=file_seq))
    _copy_to_duplicates(connection, swept)
    _forget_lookups(connection)
    with ledger.transaction(connection):
        connection.execute("delete from ops.swept_files")
        connection.execute("insert into ops.swept_files select file_seq, sha256 from raw._files")
    return swept


def find(connection: duckdb.DuckDBPyConnection, tombstones: str = "ops.tombstones") -> None:
    """Create erased_rows: rows whose strongest identifier is an erased person's, with their key.

    As the macro `identified` has it: an identifier that many people share tells of nobody, but
    where there is no other. And erased_texts: an erased identifier in a row of somebody else.

    Args:
        connection: the warehouse, with the functions of `prepare`, and `swept`: where to look.
        tombstones: of whom; other than those of the erased, nothing is learned of them.
    """
    execute = connection.execute
    cells = " union all ".join(
        f"select '{dataset}' as dataset, _file_seq as file_seq, _row_number as row_number,"
        f" '{kind}' as kind, {TYPES.index(kind)} as strength, {value} as text,"
        f" {canonical(kind, value)} as value, {rule.moment} as moment"
        f" from raw.{identifier(dataset)}"
        f" where {value} is not null and _file_seq in (select file_seq from swept)"
        for dataset, rule in RULES.items()
        for kind, value in rule.identifiers
    )
    execute(
        f"create or replace temp table cells as from ({cells}) where value is not null"
        " and lower(value) not in (select unnest($ignored))",
        {"ignored": placeholders()},
    )
    graph = "select null as kind, null as hashed, null as is_shared where false"
    if _exists(connection, "intermediate", "int_identity__identifiers"):
        graph = (
            "select identifier_type as kind, identifier_hash as hashed,"
            " unlinked_reason is not null as is_shared from intermediate.int_identity__identifiers"
        )
    execute(
        f"create or replace temp table known as with graph as ({graph}),"
        " found as (select distinct kind, value from cells),"
        " hashed as (select *, identifier_hash(value) as hashed from found)"
        " select hashed.*, graph.hashed is not null as is_in_graph,"
        " coalesce(graph.is_shared, false) as is_shared"
        " from hashed left join graph using (kind, hashed)"
    )
    while tombstones == "ops.tombstones" and _learn(connection):
        pass
    execute(
        "create or replace temp table judged as select cells.dataset, cells.file_seq,"
        " cells.row_number, cells.text, tombstones.erased_key,"
        f" cells.strength + case when known.is_shared and cells.kind in {_PERSON_TYPES}"
        " then 100 else 0 end as strength, tombstones.from_at is null"
        " and tombstones.to_at is null as is_for_good"
        " from cells inner join known using (kind, value)"
        f" left join {tombstones} as tombstones on known.kind = tombstones.identifier_type"
        " and known.hashed = tombstones.identifier_hash"
        " and coalesce(cells.moment >= tombstones.from_at, tombstones.from_at is null)"
        " and coalesce(cells.moment < tombstones.to_at, tombstones.to_at is null)"
    )
    execute(
        "create or replace temp table erased_rows as select dataset, file_seq, row_number,"
        " case when dataset in (select unnest($of_anybody)) then max(erased_key)"
        " else nullif(arg_min(coalesce(erased_key, ''), strength), '') end as erased_key"
        " from judged group by dataset, file_seq, row_number having erased_key is not null",
        {"of_anybody": [dataset for dataset, rule in RULES.items() if rule.is_of_anybody]},
    )
    execute(
        "create or replace temp table erased_texts as select distinct judged.dataset,"
        " judged.file_seq, judged.row_number, judged.text as word from judged"
        " anti join erased_rows using (dataset, file_seq, row_number)"
        " where erased_key is not null and is_for_good"
    )


def _learn(connection: duckdb.DuckDBPyConnection) -> bool:
    """An identifier that came with an erased person's name, and with no other, is theirs as well.

    Only what the last night did not know, so that nobody else's is taken; until there is no more.

    Returns:
        Whether there was one.
    """
    named = f"kind in {_PERSON_TYPES}"
    return bool(
        connection.execute(
            "insert into ops.tombstones"
            " with rows as (select distinct cells.dataset, cells.file_seq, cells.row_number,"
            " cells.kind, cells.value, known.hashed, known.is_in_graph, tombstones.erased_key,"
            " tombstones.request_id from cells inner join known using (kind, value)"
            " left join ops.tombstones as tombstones on cells.kind = tombstones.identifier_type"
            " and known.hashed = tombstones.identifier_hash and tombstones.from_at is null"
            " and tombstones.to_at is null),"
            " pairs as (select rows.kind, rows.hashed, others.kind as other_kind,"
            " others.value as other_value, others.erased_key, others.request_id"
            " from rows inner join rows as others using (dataset, file_seq, row_number)"
            f" where not rows.is_in_graph and rows.erased_key is null and others.{named}"
            " and others.kind <> rows.kind),"
            " judged as (select kind, hashed, other_kind, min(erased_key) as erased_key,"
            " min(request_id) as request_id from pairs group by all"
            " having bool_and(erased_key is not null) and count(distinct erased_key) = 1)"
            " select min(erased_key), min(request_id), kind, hashed, null, null from judged"
            " group by kind, hashed"
        ).fetchone()[0]
    )


def _find_texts(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill erased_texts and create erased_lines: where else an erased identifier stands."""
    execute = connection.execute
    for dataset in DATASETS.values():
        names = [column.name for column in dataset.columns if column.kind in ("text", "json")]
        for name in (*names, "extra"):
            relation = (
                f"select _file_seq as file_seq, _row_number as row_number,"
                f" cast({identifier(name)} as varchar) as text from raw.{identifier(dataset.name)}"
                f" where {identifier(name)} is not null and _file_seq in"
                " (select file_seq from swept)"
            )
            execute(
                f"insert into erased_texts select '{dataset.name}', found.file_seq,"
                f" found.row_number, words.word from ({relation}) as found"
                f" inner join ({erased_words(relation)}) as words using (text)"
                " anti join erased_rows on found.file_seq = erased_rows.file_seq"
                " and found.row_number = erased_rows.row_number"
            )
    relation = (
        "select file_seq, line, concat_ws(chr(10), reason, raw_text) as text from raw._quarantine"
        " where line is not null and file_seq in (select file_seq from swept)"
    )
    execute(
        "create or replace temp table erased_lines as select distinct file_seq, line"
        f" from ({relation}) as found inner join ({erased_words(relation)}) as words using (text)"
    )


def left_in_raw(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What of erased people is left in raw and the quarantine, in words; `swept` has the files."""
    find(connection)
    _find_texts(connection)
    for dataset, table, count in connection.execute(
        "select dataset, 'rows', count(*) from erased_rows group by all"
        " union all select dataset, 'texts', count(*) from erased_texts group by all"
        " union all select 'quarantine', 'lines', count(*) from erased_lines"
        " having count(*) > 0 order by all"
    ).fetchall():
        yield f"raw {dataset}: {count:,} {table}"


def erased_words(relation: str) -> str:
    """SQL of the texts of a relation that hold an erased identifier as a word, with the word."""
    return (
        "with texts as (select distinct text from"
        f" ({relation}) where length(text) >= {_SHORTEST}),"
        f" split as (select text, unnest(list_distinct(regexp_extract_all(text,"
        f" {warehouse.literal(_WORD)}) || regexp_extract_all(coalesce(try(url_decode(text)), text),"
        f" {warehouse.literal(_WORD)}))) as word from texts),"
        " words as (select distinct word from split),"
        " forms as (select word, canonical_id(word) as form from words"
        " union select word, canonical_email(word) from words where contains(word, '@')"
        " union select word, canonical_phone(word) from words"
        " where regexp_full_match(word, '[+]?[0-9.-]{7,}')),"
        " matched as (select distinct word from forms where identifier_hash(form) in"
        " (select identifier_hash from ops.tombstones where from_at is null and to_at is null))"
        " select distinct text, word from split inner join matched using (word)"
    )


def canonical(kind: str, value: str) -> str:
    """SQL of the canonical form of an identifier; see `prepare`."""
    return f"canonical_{kind if kind in ('email', 'phone') else 'id'}({value})"


def placeholders() -> list[str]:
    """Texts that programs write for a missing identifier: they are nobody's."""
    with (PROJECT / "seeds" / "identity_placeholders.csv").open(encoding="utf-8") as file:
        return [
            row["identifier_value"] for row in csv.DictReader(file) if row["effect"] == "ignored"
        ]


@dataclass
class _File:
    """One loaded file with rows of erased people.

    Attributes:
        file_seq, path, sha256: as the ledger has them.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    file_seq: int
    path: Path
    sha256: str | None
    scratch: Path

    def clean(self, swept: Swept) -> None:
        """Write the landing files anew, then take the rows out of raw, in one transaction."""
        table = f"raw.{identifier(self.dataset.name)}"
        changes, deleted, anonymised = self._changes()
        copies = [path for path in self._paths() if path.is_file()]
        copies = [path for path in copies if ledger.content_hash(path) == self.sha256]
        written = None
        if copies:
            written = self._write(copies[0], changes)
        with ledger.transaction(self.connection):
            self._apply(table, changes)
            self.connection.execute(
                "delete from raw._quarantine where file_seq = ? and line in"
                " (select line from erased_lines where file_seq = ?)",
                [self.file_seq, self.file_seq],
            )
            self._count(table)
            # A file that is gone has no content to compare with; the old one is another's now.
            sha256 = ledger.content_hash(written) if written else f"{ERASED} {self.sha256}"
            self.connection.execute(
                "insert into raw._former_files values (?, ?, ?)",
                [self.dataset.name, self.sha256, str(self.path)],
            )
            self.connection.execute(
                # Until the file is in its place, its size is not to be trusted.
                "update raw._files set sha256 = ?, size_bytes = -1 where file_seq = ?",
                [sha256, self.file_seq],
            )
            if written:
                self._renumber_quarantine()
        for path in copies:
            rewriting.replace(written, path)
            self._told_of(path, sha256)
            swept.files += 1
        swept.deleted += deleted
        swept.anonymised += anonymised

    def _paths(self) -> list[Path]:
        """The file, and those with the same content."""
        rows = self.connection.execute(
            "select path from raw._files where dataset = ? and sha256 = ? and status = 'duplicate'"
            " order by path",
            [self.dataset.name, self.sha256],
        ).fetchall()
        return [self.path, *(Path(path) for (path,) in rows)]

    def _told_of(self, path: Path, sha256: str) -> None:
        status = path.stat()
        self.connection.execute(
            "update raw._files set sha256 = ?, size_bytes = ?, modified_ns = ?"
            " where dataset = ? and path = ?",
            [sha256, status.st_size, status.st_mtime_ns, self.dataset.name, str(path)],
        )

    def _changes(self) -> tuple[dict[int, rewriting.Row | None], int, int]:
        """Row number to what it says from now on, None where it goes; and how many of each."""
        rule = RULES.get(self.dataset.name)
        execute = self.connection.execute
        changes: dict[int, rewriting.Row | None] = {}
        erased = dict(
            execute(
                "select row_number, erased_key from erased_rows where file_seq = ?", [self.file_seq]
            ).fetchall()
        )
        for row_number, row in self._rows(erased).items():
            changes[row_number] = self._anonymised(rule, row, erased[row_number])
        deleted = sum(row is None for row in changes.values())
        anonymised = len(changes) - deleted
        words = dict(
            execute(
                "select row_number, list(distinct word order by length(word) desc, word)"
                " from erased_texts where file_seq = ? group by row_number",
                [self.file_seq],
            ).fetchall()
        )
        for row_number, row in self._rows(words).items():
            changes[row_number] = _without(row, words[row_number])
        return changes, deleted, anonymised

    def _rows(self, row_numbers: Iterable[int]) -> dict[int, rewriting.Row]:
        cursor = self.connection.execute(
            f"select * from raw.{identifier(self.dataset.name)} where _file_seq = ?"
            " and _row_number in (select unnest(?::bigint[]))",
            [self.file_seq, list(row_numbers)],
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
        return {row.pop("_row_number"): row for row in rows}

    def _anonymised(self, rule: Rule, row: rewriting.Row, erased_key: str) -> rewriting.Row | None:
        """What stays of a row of an erased person; None: nothing."""
        if not rule.kept:
            return None
        definitions: list[Mapping[str, str]] = []
        if rule.has_name:
            definitions = _definitions(self._event_name(row))
            if not definitions:
                return None
        stays = {
            column.name: row[column.name] if column.name in rule.kept else None
            for column in self.dataset.columns
        }
        for column, keys in rule.documents:
            allowed = {*keys, *_keys_of(definitions)}
            stays[column] = _only(row[column], allowed)
        if self.dataset.key:
            # The same again where the same is delivered again, and one where one counts a day.
            of = row[self.dataset.key]
            if any(definition["key_path"] == "person_day" for definition in definitions):
                moment = self._moment(row)
                of = f"{erased_key}|{definitions[0]['event_name']}|{moment:%Y-%m-%d}"
            stays[self.dataset.key] = self._hash(f"event|{of}")
        return stays | {"extra": None}

    def _moment(self, row: rewriting.Row) -> dt.datetime:
        names = ("occurred_at", "original_timestamp", "timestamp", "received_at")
        return next(row[name] for name in names if row.get(name) is not None)

    def _event_name(self, row: rewriting.Row) -> str:
        if self.dataset.name == "segment":
            kind = row["type"].lower()
            return (row["event"] or "track") if kind == "track" else kind
        return row["event_name"]

    def _hash(self, text: str) -> str:
        return self.connection.execute("select identifier_hash(?)", [text]).fetchone()[0]

    def _apply(self, table: str, changes: Mapping[int, rewriting.Row | None]) -> None:
        execute = self.connection.execute
        gone = [number for number, row in changes.items() if row is None]
        execute(
            f"delete from {table} where _file_seq = ?"
            " and _row_number in (select unnest(?::bigint[]))",
            [self.file_seq, gone],
        )
        names = [*(column.name for column in self.dataset.columns), "extra"]
        assignments = ", ".join(f"{identifier(name)} = ?" for name in names)
        for number, row in changes.items():
            if row is not None:
                execute(
                    f"update {table} set {assignments} where _file_seq = ? and _row_number = ?",
                    [*(row[name] for name in names), self.file_seq, number],
                )

    def _count(self, table: str) -> None:
        """Keep the ledger true: rows of the file, and of the batch that brought it."""
        execute = self.connection.execute
        execute(
            f"update raw._files set rows_loaded = (select count(*) from {table}"
            " where _file_seq = $seq), rows_quarantined = (select count(*) from raw._quarantine"
            " where file_seq = $seq) where file_seq = $seq",
            {"seq": self.file_seq},
        )
        execute(
            "update raw._files set rows_in_file = rows_loaded + rows_quarantined"
            " where file_seq = ?",
            [self.file_seq],
        )
        execute(
            "update raw._batches set rows_loaded = files.rows_loaded,"
            " rows_quarantined = files.rows_quarantined from (select batch_id,"
            " sum(rows_loaded) as rows_loaded, sum(rows_quarantined) as rows_quarantined"
            " from raw._files group by batch_id) as files"
            " where raw._batches.batch_id = files.batch_id and files.batch_id ="
            " (select batch_id from raw._files where file_seq = ?)",
            [self.file_seq],
        )

    def _read(self, path: Path) -> None:
        """Read a file as it was read when it was loaded."""
        loaded_at = self.connection.execute(
            "select loaded_at from raw._files where file_seq = ?", [self.file_seq]
        ).fetchone()[0]
        readers.read(
            self.connection,
            path,
            rewriting.headers(self.dataset),
            self.scratch,
            loaded_at + dt.timedelta(days=1),
        )

    def _write(self, path: Path, changes: Mapping[int, rewriting.Row | None]) -> Path:
        """Write the file anew beside the warehouse, and see that it says what raw will say.

        It is read for that: landed_rows and landed_rejects are the new file's afterwards.
        """
        table = f"raw.{identifier(self.dataset.name)}"
        execute = self.connection.execute
        self._read(path)
        places = execute(
            "with landed as (select line, last_line, row_number,"
            " row_number() over (order by row_number) as place from landed_rows where reason = ''),"
            f" loaded as (select _row_number, row_number() over (order by _row_number) as place"
            f" from {table} where _file_seq = ?)"
            " select loaded._row_number, landed.line, landed.last_line, landed.row_number"
            " from landed full outer join loaded using (place)",
            [self.file_seq],
        ).fetchall()
        if any(None in place for place in places):
            raise self._differs()
        lines = execute(
            "select line, raw_text from (select line, raw_text from landed_rows where reason <> ''"
            " union all select line, raw_text from landed_rejects) where line in"
            " (select line from erased_lines where file_seq = ?)",
            [self.file_seq],
        ).fetchall()
        spans = {number: rewriting.Span(line, last, at) for number, line, last, at in places}
        edits = [(spans[number], row) for number, row in changes.items()]
        edits += [
            (rewriting.Span(line, line + (text or "").count("\n"), None), None)
            for line, text in lines
        ]
        written = self.scratch / path.name
        rewriting.write(self.connection, path, written, self.dataset, edits)
        self._read(written)
        expected = len(places) - sum(row is None for row in changes.values())
        (found,) = execute("select count(*) from landed_rows where reason = ''").fetchone()
        if found != expected:
            raise self._differs()
        return written

    def _differs(self) -> ApportionError:
        return ApportionError(
            f"{self.path} does not hold the rows that were loaded from it, so those of erased"
            " people cannot be taken out of it",
            f"apportion quarantine retry {self.path}",
        )

    def _renumber_quarantine(self) -> None:
        """Keep the lines of the quarantine those of the file that `_write` read last.

        It is not read here: a reader tries, and a try that fails would end the transaction.
        """
        execute = self.connection.execute
        kept = execute(
            "select batch_id, run_id, max(quarantined_at) from raw._quarantine where file_seq = ?"
            " and line is not null group by all limit 1",
            [self.file_seq],
        ).fetchone()
        if kept is None:
            return
        execute(
            "delete from raw._quarantine where file_seq = ? and line is not null", [self.file_seq]
        )
        execute(
            "insert into raw._quarantine select ?, ?, ?, line, reason, raw_text, ?, ?, ? from ("
            " select line, reason, raw_text from landed_rows where reason <> ''"
            " union all select line, reason, raw_text from landed_rejects) order by line",
            [self.dataset.name, str(self.path), self.file_seq, *kept],
        )


def _without(row: rewriting.Row, words: Sequence[str]) -> rewriting.Row:
    """A row without the words of an erased person that stand in it."""
    forms = [form for word in words for form in (word, urllib.parse.quote(word, safe=""))]
    pattern = re.compile(
        "|".join(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])" for form in forms), re.I
    )

    def cleaned(value: object) -> object:
        if isinstance(value, dict):
            return {key: cleaned(item) for key, item in value.items()}
        if isinstance(value, list):
            return [cleaned(item) for item in value]
        if isinstance(value, str):
            return pattern.sub("", value)
        is_word = isinstance(value, int | float) and pattern.fullmatch(str(value))
        return None if is_word else value

    new = dict(row)
    for name, value in row.items():
        if not isinstance(value, str) or name.startswith("_"):
            continue
        if value[:1] in "{[":
            try:
                new[name] = json.dumps(cleaned(json.loads(value)), ensure_ascii=False)
                continue
            except ValueError:
                pass  # It only looks like JSON.
        new[name] = None if value in words else pattern.sub("", value)
    return new


def _only(document: str | None, keys: Collection[str]) -> str | None:
    """A JSON object, or a list of named parameters, with nothing but some keys."""
    value = json.loads(document) if document else None
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key in keys}
    elif isinstance(value, list):
        value = [item for item in value if isinstance(item, dict) and item.get("key") in keys]
    else:
        value = None
    return json.dumps(value, ensure_ascii=False) if value else None


def _definitions(event_name: str) -> list[Mapping[str, str]]:
    """The conversions that an event of a name tells of, from the seed."""
    seeds = PROJECT / "seeds"
    name = event_name.strip().lower()
    with (seeds / "event_names.csv").open(encoding="utf-8") as file:
        standard = {row["vendor_name"]: row["event_name"] for row in csv.DictReader(file)}
    with (seeds / "conversion_definitions.csv").open(encoding="utf-8") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["source"] == "events" and row["event_name"] == standard.get(name, name)
        ]


def _keys_of(definitions: Sequence[Mapping[str, str]]) -> set[str]:
    """The keys of the properties that definitions read."""
    paths = [
        definition[part] or ""
        for definition in definitions
        for part in ("key_path", "value_path", "currency_path")
    ]
    return {re.split(r"[.\[]", path[2:])[0] for path in paths if path.startswith("$.")}


def _copy_to_duplicates(connection: duckdb.DuckDBPyConnection, swept: Swept) -> None:
    """Files delivered again that hold what a swept file held before hold what it holds now."""
    copies = connection.execute(
        "select distinct copies.dataset, copies.path, owners.path, owners.sha256"
        " from raw._files as copies"
        " inner join raw._former_files as former on copies.dataset = former.dataset"
        " and copies.sha256 = former.sha256 inner join raw._files as owners"
        " on former.dataset = owners.dataset and former.path = owners.path"
        " where copies.status = 'duplicate' order by all"
    ).fetchall()
    for dataset, path, owner, sha256 in copies:
        if Path(path).is_file() and Path(owner).is_file():
            rewriting.replace(Path(owner), Path(path))
        else:
            Path(path).unlink(missing_ok=True)
        connection.execute(
            "update raw._files set sha256 = ?, size_bytes = -1 where dataset = ? and path = ?",
            [sha256, dataset, path],
        )
        swept.files += 1


def _forget_lookups(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep of the texts that were looked up those that are still landed."""
    connection.execute("delete from raw._lookup_versions")
    lookups.prepare(connection)


def _exists(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    return connection.execute(
        "select exists (from information_schema.tables where table_schema = ? and table_name = ?)",
        [schema, table],
    ).fetchone()[0]


def drop_built(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop everything that is built from raw, ops and ml."""
    for (schema,) in connection.execute(
        "select distinct schema_name from duckdb_schemas() where not internal"
        " and database_name = current_database() and schema_name not in"
        " ('main', 'raw', 'ops', 'ml')"
    ).fetchall():
        connection.execute(f"drop schema {identifier(schema)} cascade")


def compact(settings: Settings) -> None:
    """Write the warehouse anew, so that no block keeps a deleted row.

    The old file is there until the new one is whole; its last good copy goes first.
    """
    partial = settings.warehouse.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(f"attach {warehouse.literal(partial)} as compacted")
        connection.execute(f"copy from database {identifier(settings.warehouse.stem)} to compacted")
        connection.execute("detach compacted")
    last_good.forget(settings)
    partial.replace(settings.warehouse)
