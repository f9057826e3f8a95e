"""Reads simulated files without the loader, and finds what is wrong in them from scratch."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DAY = dt.timedelta(days=1)
MOMENTS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


@dataclass
class Row:
    """One line of a file: its values, or None where it cannot be read."""

    file: str
    line: int
    values: dict[str, object] | None


def text_of(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    elif path.suffix == ".zst":
        content = pa.input_stream(pa.BufferReader(content), compression="zstd").read()
    return content.decode()


def header(path: Path) -> list[str]:
    return next(csv.reader([text_of(path).split("\n", 1)[0]]))


def rows(landing: Path, dataset: str) -> Iterator[Row]:
    """Every line of every file of a data set, in order of path and line."""
    for path in sorted((landing / dataset).iterdir()):
        yield from rows_of(path, str(path.relative_to(landing)))


def rows_of(path: Path, name: str) -> Iterator[Row]:
    if path.suffix == ".parquet":
        for line, values in enumerate(pq.read_table(path).to_pylist(), 1):
            yield Row(name, line, values)
        return
    text = text_of(path)
    if ".csv" in path.name:
        lines = list(csv.reader(io.StringIO(text)))
        for line, values in enumerate(lines[1:], 2):
            is_whole = len(values) == len(lines[0])
            yield Row(name, line, dict(zip(lines[0], values, strict=True)) if is_whole else None)
    elif ".jsonl" in path.name:
        for line, one in enumerate(text.splitlines(), 1):
            try:
                yield Row(name, line, json.loads(one))
            except json.JSONDecodeError:
                yield Row(name, line, None)
    else:
        for line, values in enumerate(json.loads(text), 1):
            yield Row(name, line, values)


def moment(text: object) -> dt.datetime | None:
    """A time as the files write it; None: it is none."""
    if isinstance(text, dt.datetime):
        return text
    for form in MOMENTS:
        try:
            return dt.datetime.strptime(str(text).removesuffix("Z"), form)
        except ValueError:
            continue
    if re.fullmatch(r"\d{10}", str(text)):
        return dt.datetime.fromtimestamp(int(str(text)), dt.UTC).replace(tzinfo=None)
    try:
        return dt.datetime.combine(dt.date.fromisoformat(str(text)), dt.time())
    except ValueError:
        return None


def is_amount(text: object) -> bool:
    try:
        Decimal(str(text))
    except InvalidOperation:
        return False
    return True


def unreadable(row: Row) -> bool:
    """Whether a row of events, orders or order items cannot be loaded."""
    if row.values is None:
        return True
    for name in ("occurred_at", "ordered_at"):
        if name in row.values and moment(row.values[name]) is None:
            return True
    return any(
        row.values.get(name) not in (None, "") and not is_amount(row.values[name])
        for name in ("value", "revenue", "unit_price", "quantity")
    )


def found_defects(landing: Path) -> dict[str, set[tuple[str, int | None]]]:
    """What a careful reader finds: outcome to (file, line)."""
    found: dict[str, set[tuple[str, int | None]]] = {
        outcome: set()
        for outcome in ("quarantined", "duplicate", "late", "out_of_order", "skewed",
                        "unknown_currency", "duplicate_file", "schema_change")
    }  # fmt: skip
    copies = set()
    for dataset in ("events", "orders", "order_items"):
        known: dict[str, str] = {}
        names: set[str] | None = None
        for path in sorted((landing / dataset).iterdir()):
            name = str(path.relative_to(landing))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in known:
                copies.add(name)
                found["duplicate_file"].add((name, None))
            known[digest] = name
            if ".csv" in path.name:
                now = set(header(path))
                if names is not None and now != names:
                    found["schema_change"].add((name, None))
                names = now
    events = []
    for dataset in ("events", "orders", "order_items"):
        for row in rows(landing, dataset):
            if row.file in copies:
                continue
            if unreadable(row):
                found["quarantined"].add((row.file, row.line))
            elif dataset == "events":
                events.append(row)
            elif dataset == "orders" and row.values["currency"] not in ("USD", "EUR"):
                found["unknown_currency"].add((row.file, row.line))
    _find_in_events(events, found)
    return found


def _find_in_events(events: list[Row], found: dict[str, set]) -> None:
    by_id: dict[object, list[tuple]] = {}
    file, latest = "", dt.datetime.min
    for row in events:
        occurred, received = moment(row.values["occurred_at"]), moment(row.values["received_at"])
        key = (row.file, row.line)
        by_id.setdefault(row.values["event_id"], []).append((received, *key))
        if row.file != file:
            file, latest = row.file, dt.datetime.min
        if received < latest:
            found["out_of_order"].add(key)
        latest = max(latest, received)
        if occurred > received:
            found["skewed"].add(key)
        elif received - occurred >= DAY:
            found["late"].add(key)
    for copies in by_id.values():
        found["duplicate"] |= {copy[1:] for copy in sorted(copies)[1:]}


def planted(truth: Path) -> dict[str, set[tuple[str, int | None]]]:
    """What truth says was planted: outcome to (file, line)."""
    outcomes: dict[str, set[tuple[str, int | None]]] = {}
    for row in pq.read_table(truth / "defects.parquet").to_pylist():
        outcomes.setdefault(row["outcome"], set()).add((row["file"], row["line"]))
    return outcomes
