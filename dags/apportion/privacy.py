"""Requests of people: to be erased, to see what is kept of them, not to be sold.

Requests are a data set, `privacy_requests`; the command line lands one there and then does what the
DAG does. Erasing is a night with two more steps: `erase` takes the person out of what was landed
and writes the warehouse anew, so that everything else is built again without them; `purge` removes
the earlier versions, and looks for what might be left.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from apportion import built, erasure, ledger, logs, publish, readers, warehouse
from apportion.errors import ApportionError, UsageError
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import identifier, literal

REQUESTS = "privacy_requests"
KINDS = ("user_id", "email", "phone", "anonymous_id")
"""The identifiers that a request may name its person by."""

_OPEN = "select request_id from ops.privacy_audit_log where kind = 'erase' and status = 'accepted'"


def request(settings: Settings, kind: str, person: Mapping[str, str]) -> Path:
    """Land one request.

    Args:
        settings: where the landing folder is.
        kind: erase, access or opt_out_of_sale.
        person: kind of identifier to its value.

    Returns:
        The landed file.

    Raises:
        UsageError: the person is not named.
    """
    if not person:
        raise UsageError("no person is named", "give --user-id, --email, --phone or --anonymous-id")
    now = dt.datetime.now(dt.UTC)
    row = {"request_id": uuid.uuid4().hex, "requested_at": now.isoformat(), "kind": kind, **person}
    folder = settings.landing / REQUESTS
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{now:%Y%m%dT%H%M%S%f}.jsonl"
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(row) + "\n", encoding="utf-8")
    partial.replace(file)
    return file


def erase(night: Night) -> str:
    """Take the people who asked for it out of raw, the quarantine, the landing files, ops and ml.

    What is built from these is gone afterwards; the steps that follow build it anew.
    """
    settings = night.settings
    erasure.functions(settings)
    with warehouse.connect(settings.warehouse) as connection:
        erasure.prepare(connection, settings)
        _accept(connection, night.run_id)
        asked = connection.execute(f"select count(*) from ({_OPEN})").fetchone()[0]
        if not asked:
            return "nobody asked to be erased"
        people, identifiers = connection.execute(
            "select count(distinct erased_key), count(*) from ops.tombstones where erased_key in"
            " (select erased_key from ops.tombstones"
            f" where request_id in ({_OPEN}))"
        ).fetchone()
        swept = erasure.sweep(connection, settings, everything=True)
        connection.execute(
            "update ops.privacy_audit_log set rows_deleted = rows_deleted + ?,"
            " rows_anonymised = rows_anonymised + ?, files_rewritten = files_rewritten + ?"
            " where kind = 'erase' and status = 'accepted'",
            [swept.deleted, swept.anonymised, swept.files],
        )
        erasure.drop_built(connection)
    built.forget(settings)
    erasure.compact(settings)
    return f"{asked:,} requests: {people:,} people, {identifiers:,} identifiers; {swept}"


def purge(night: Night) -> str:
    """After a version without the erased people is published: remove the others, prove it, say so.

    Raises:
        ApportionError: something of an erased person is left.
    """
    settings = night.settings
    erasure.functions(settings)
    with warehouse.connect(settings.warehouse) as connection:
        asked = connection.execute(f"select count(*) from ({_OPEN})").fetchone()[0]
    if not asked:
        return "nothing to purge"
    removed = publish.keep_only_current(settings)
    with warehouse.connect(settings.warehouse) as connection:
        erasure.prepare(connection, settings)
        found = list(residue(connection, settings))
        if found:
            raise ApportionError(
                f"something of erased people is left in {len(found)} places:\n"
                + "\n".join(found[:20]),
                "remove it there by hand, or mend what wrote it; then: apportion erase",
            )
        connection.execute(
            "update ops.privacy_audit_log set status = 'done', run_id = ?, \"at\" = ?,"
            " reason = coalesce(reason, 'erased; no residue')"
            " where kind = 'erase' and status = 'accepted'",
            [night.run_id, ledger.utc_now()],
        )
    logs.LOGGER.info(logs.line(event="purged", requests=asked, versions=len(removed)))
    gone = f"{len(removed)} earlier versions removed"
    return f"{asked:,} requests done, residue 0; {gone}"


def _accept(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Write what was asked into the audit log, and tombstones for who is to be erased.

    One transaction, with everything that holds the person's key: from here on nothing but the
    tombstones knows who it was.
    """
    execute = connection.execute
    cells = " union all ".join(
        f"select request_id, '{kind}' as kind, {erasure.canonical(kind, kind)} as value from asked"
        for kind in KINDS
    )
    with ledger.transaction(connection):
        execute(
            "create or replace temp table asked as select request_id, lower(trim(kind)) as kind,"
            f" requested_at, {', '.join(KINDS)} from raw.{REQUESTS} where request_id not in"
            " (select request_id from ops.privacy_audit_log where request_id is not null)"
            " qualify row_number() over (partition by request_id"
            " order by _file_seq desc, _row_number desc) = 1"
        )
        execute(
            "create or replace temp table named as select request_id, cells.kind, cells.value,"
            f" identifier_hash(cells.value) as hashed from ({cells}) as cells"
            " where cells.value is not null"
            " and lower(cells.value) not in (select unnest($ignored))",
            {"ignored": erasure.placeholders()},
        )
        execute(
            "create or replace temp table people as select named.request_id, named.kind,"
            " named.hashed, identifiers.user_key,"
            " identifiers.unlinked_reason is not null as is_shared from named"
            " left join intermediate.int_identity__identifiers as identifiers"
            " on named.kind = identifiers.identifier_type"
            " and named.hashed = identifiers.identifier_hash"
        )
        execute(
            "insert into ops.privacy_audit_log (run_id, request_id, kind, status, reason,"
            ' requested_at, "at", people_count, identifiers_count, rows_deleted, rows_anonymised,'
            " files_rewritten)"
            " select ?, asked.request_id, asked.kind,"
            " case when asked.kind <> 'erase' then 'recorded'"
            " when coalesce(bool_and(people.is_shared), true) then 'refused' else 'accepted' end,"
            " case when asked.kind <> 'erase' then null"
            " when count(people.request_id) = 0 then 'names nobody'"
            " when bool_and(people.is_shared)"
            " then 'many people share what it names: name another identifier'"
            " when count(people.user_key) = 0"
            " then 'nobody is known by it; whoever comes will be kept out' end,"
            " asked.requested_at, ?,"
            " count(distinct case when not people.is_shared then people.user_key end),"
            " count(people.request_id), 0, 0, 0"
            " from asked left join people on asked.request_id = people.request_id"
            " group by asked.request_id, asked.kind, asked.requested_at",
            [run_id, ledger.utc_now()],
        )
        execute(
            "create or replace temp table going as select min(people.request_id) as request_id,"
            " people.user_key, cast(uuid() as varchar) as erased_key from people"
            f" where people.request_id in ({_OPEN}) and not people.is_shared"
            " and people.user_key is not null group by people.user_key"
        )
        execute(
            "insert into ops.tombstones"
            " select going.erased_key, going.request_id, identifiers.identifier_type,"
            " identifiers.identifier_hash, null, null"
            " from intermediate.int_identity__identifiers as identifiers"
            " inner join going using (user_key) where identifiers.unlinked_reason is null"
        )
        execute(
            "insert into ops.tombstones"
            " select going.erased_key, going.request_id, stints.identifier_type,"
            " stints.identifier_hash, coalesce(stints.started_at, timestamp '1970-01-01'),"
            " stints.ended_at"
            " from intermediate.int_identity__stints as stints inner join going using (user_key)"
        )
        execute(
            "insert into ops.tombstones select request_id, request_id, kind, hashed, null, null"
            f" from people where request_id in ({_OPEN}) and user_key is null"
        )
        _clear(connection)


def _clear(connection: duckdb.DuckDBPyConnection) -> None:
    """Delete what ops and ml know of the people who go."""
    keys = "select user_key from going"
    tables = connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns()"
        " where schema_name in ('ops', 'ml') and database_name = current_database()"
        " and column_name in ('user_key', 'old_user_key', 'new_user_key')"
    ).fetchall()
    for schema, table, column in tables:
        connection.execute(
            f"delete from {schema}.{identifier(table)} where {identifier(column)} in ({keys})"
        )


def residue(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[str]:
    """Where something of an erased person is left, in words: every table, column and file.

    Args:
        connection: the warehouse, prepared by `erasure.prepare`.
        settings: where the files are.
    """
    connection.execute(
        "create or replace temp table swept as"
        " select file_seq, dataset, path, sha256, status from raw._files"
    )
    yield from erasure.left_in_raw(connection)
    connection.execute(
        "create or replace temp table traces as"
        " select identifier_hash as trace from ops.tombstones where from_at is null"
        " and to_at is null union"
        " select key_of(identifier_type, identifier_hash) from ops.tombstones"
        " where from_at is null and to_at is null"
    )
    tables = connection.execute(
        "select table_schema, table_name, column_name from information_schema.columns"
        " inner join information_schema.tables using (table_schema, table_name)"
        " where table_type = 'BASE TABLE' and table_schema <> 'temp' and table_name not in"
        " ('tombstones', 'swept') and table_schema in ('raw', 'ops', 'ml', 'intermediate',"
        " 'staging', 'seeds', 'marts') and (data_type like 'VARCHAR%' or data_type like 'JSON%'"
        " or data_type like 'STRUCT%') order by all"
    ).fetchall()
    for schema, table, column in tables:
        relation = f"{schema}.{identifier(table)}"
        yield from _left_in(connection, relation, column, f"{relation}.{column}")
    version = settings.published.resolve()
    for path in sorted(version.rglob("*.parquet")):
        relation = f"read_parquet({literal(path)})"
        for name, kind, *_ in connection.execute(f"describe from {relation}").fetchall():
            if kind.startswith(("VARCHAR", "JSON")):
                yield from _left_in(connection, relation, name, f"{path.name}.{name}")
    for path in _files(settings):
        connection.execute("create or replace temp table file_texts (text varchar)")
        connection.execute(
            "insert into file_texts select unnest(?::varchar[])", [list(_words(connection, path))]
        )
        yield from _left_in(connection, "file_texts", "text", str(path))


def _left_in(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str, where: str
) -> Iterator[str]:
    texts = f"select cast({identifier(column)} as varchar) as text from {relation}"
    (count,) = connection.execute(
        f"select (select count(*) from ({erasure.erased_words(texts)}))"
        f" + (select count(*) from ({texts}) where text in (select trace from traces))"
    ).fetchone()
    if count:
        yield f"{where}: {count:,} texts"


def _files(settings: Settings) -> Iterator[Path]:
    """Every file in which a text may stand: landed files, manifests, reports, logs."""
    for folder in (settings.landing, settings.versions, settings.logs):
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                is_read = path.is_file() and path.suffix != ".duckdb"
                if is_read and not (folder == settings.versions and path.suffix == ".parquet"):
                    yield path


def _words(connection: duckdb.DuckDBPyConnection, path: Path) -> set[str]:
    """The texts of a file, taken apart; of Parquet, every value of every column."""
    _, compression = readers.file_format(path) or (None, None)
    if path.suffix == ".parquet":
        relation = f"read_parquet({literal(path)})"
        return {
            text
            for (name, *_) in connection.execute(f"describe from {relation}").fetchall()
            for (text,) in connection.execute(
                f"select distinct cast({identifier(name)} as varchar) from {relation}"
                f" where {identifier(name)} is not null"
            ).fetchall()
        }
    try:
        if compression == "gzip":
            data = gzip.decompress(path.read_bytes())
        elif compression:
            with pyarrow.input_stream(str(path), compression=compression) as packed:
                data = packed.read()
        else:
            data = path.read_bytes()
    except OSError:
        # What cannot be unpacked is looked through as it is.
        data = path.read_bytes()
    return set(re.findall(r"[^\s\"'<>,;{}\[\]]{6,}", data.decode("utf-8", "replace")))


def audit(settings: Settings) -> list[dict[str, Any]]:
    """The requests and what became of them, the latest first."""
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        cursor = connection.execute('from ops.privacy_audit_log order by "at" desc, request_id')
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
