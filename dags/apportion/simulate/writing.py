"""Put a history into a landing folder and the truth beside it."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from apportion.simulate import commerce, crm, truth
from apportion.simulate.defects import KINDS, OUTCOMES, Landed, plant
from apportion.simulate.history import History
from apportion.simulate.lines import Writer
from apportion.simulate.sheets import Sheet

_CORRECTED_AFTER = 3
_DELIVERED_AGAIN_AFTER = 2


class Delivery:
    """Writes files and remembers when each was delivered, and which row of it is damaged.

    Args:
        landing: folder of the data sets.
        truth_folder: folder of the truth.
        start: first day.
        days: how many.
    """

    def __init__(self, landing: Path, truth_folder: Path, start: dt.date, days: int):
        self.landing = landing
        self.truth = truth_folder
        self.start = start
        self.days = days
        self.defects: list[dict[str, object]] = []
        self.files: list[tuple[str, str, dt.date, int, str, int, str]] = []

    def name(self, dataset: str, day: int, extension: str, mark: str = "") -> str:
        """Path of a day's file, relative to the landing folder."""
        return f"{dataset}/{(self.start + dt.timedelta(day)).isoformat()}{mark}.{extension}"

    def put(
        self, path: str, day: int, content: bytes, rows: int, version: int = 1, is_last: bool = True
    ) -> None:
        """Write a file as it was delivered; a version that was replaced goes to the truth."""
        packed = _packed(path, content)
        source = "landing" if is_last else "superseded"
        target = self.landing / path if is_last else self.truth / source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(packed)
        self.files.append(
            (
                path,
                path.split("/")[0],
                self.start + dt.timedelta(day),
                version,
                source,
                rows,
                hashlib.sha256(packed).hexdigest(),
            )
        )

    def damaged(
        self, kind: str, path: str, line: int | None, record: str | None, detail: str | None = None
    ) -> None:
        """Remember a planted defect."""
        self.defects.append(
            {
                "kind": kind,
                "outcome": OUTCOMES[kind],
                "dataset": path.split("/")[0],
                "file": path,
                "line": line,
                "record_id": record,
                "detail": detail,
            }
        )

    def corrected(self, path: str, day: int, before: bytes, rows: int, after: bytes, all_rows: int):
        """Deliver a file, and three days later its correction under the same path."""
        self.put(path, day, before, rows, 1, is_last=False)
        self.put(path, day + _CORRECTED_AFTER, after, all_rows, 2)
        corrected_on = self.start + dt.timedelta(day + _CORRECTED_AFTER)
        self.damaged("file_corrected", path, None, None, f"corrected on {corrected_on}")


def _packed(path: str, content: bytes) -> bytes:
    if path.endswith(".gz"):
        return gzip.compress(content, 1, mtime=0)
    if path.endswith(".zst"):
        return pa.compress(content, codec="zstd", asbytes=True)
    return content


def write(history: History, landing: Path, truth_folder: Path, call: dict[str, object]) -> None:
    """Write every data set of a history, and the truth.

    Args:
        history: what happened.
        landing: an empty folder.
        truth_folder: another.
        call: version and arguments, for effects.json.
    """
    calendar = history.calendar
    delivery = Delivery(landing, truth_folder, calendar.start, calendar.days)
    truth_folder.mkdir(parents=True, exist_ok=True)
    ids = commerce.order_ids(history)
    landed = plant(history.draws, history.events, calendar.days)
    writer = Writer(history, landed, ids)
    _write_events(delivery, writer, landed, history)

    orders, planted = commerce.orders(history)
    orders.renamed = (calendar.days // 2, "order_id", "transaction_id")
    _write_orders(delivery, orders)
    _damage(delivery, orders, planted, "order_id")
    items, planted = commerce.order_items(history)
    items.dropped = (calendar.days * 3 // 4, "category")
    _write_sheet(delivery, items)
    _damage(delivery, items, planted, "order_id")
    contacts, wrong_emails, crm_users = crm.contacts(history)
    for sheet in (
        commerce.refunds(history),
        commerce.offline_conversions(history),
        commerce.products(history),
        commerce.campaigns(history),
        commerce.ad_spend(history),
        commerce.exchange_rates(history),
        contacts,
        crm.profile_attributes(history),
        crm.consents(history),
        crm.experiment_assignments(history),
        crm.privacy_requests(history),
    ):
        _write_sheet(delivery, sheet)

    event_ids = writer.event_ids(np.arange(len(history.events)))
    for name, columns in (
        ("people", truth.people(history)),
        ("identities", truth.identities(history, landed, wrong_emails, crm_users)),
        ("shared_events", truth.shared_events(history, event_ids)),
        ("conversions", truth.conversions(history, ids)),
        ("incremental", truth.incremental(history)),
        ("defects", truth.defect_rows(delivery.defects)),
        ("files", _files(delivery)),
    ):
        truth.write_table(truth_folder / f"{name}.parquet", columns)
    (truth_folder / "effects.json").write_text(truth.effects(history, call), encoding="utf-8")


def _files(delivery: Delivery) -> dict[str, object]:
    names = ("path", "dataset", "delivered_on", "version", "source", "rows", "sha256")
    rows = sorted(delivery.files, key=lambda row: (row[2], row[0], row[3]))
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def _write_events(delivery: Delivery, writer: Writer, landed: Landed, history: History) -> None:
    days, extension = delivery.days, "jsonl.gz"
    corrected, twice = days // 3, days // 4
    for day, content in writer.files():
        rows = int(landed.file_start[day + 1] - landed.file_start[day])
        if not rows:
            continue
        path = delivery.name("events", day, extension)
        if day == corrected:
            # At first the end of the file was missing.
            kept = max(rows * 6 // 10, 1)
            first = b"".join(content.splitlines(keepends=True)[:kept])
            delivery.corrected(path, day, first, kept, content, rows)
        else:
            delivery.put(path, day, content, rows)
        if day == twice:
            again = delivery.name("events", day, extension, "_again")
            delivery.put(again, day + _DELIVERED_AGAIN_AFTER, content, rows)
            delivery.damaged("file_delivered_twice", again, None, None, f"the content of {path}")
    rows = np.flatnonzero(landed.kind)
    names = writer.event_ids(landed.event[rows]).to_pylist()
    for row, name in zip(rows.tolist(), names, strict=True):
        path = delivery.name("events", int(landed.day[row]), extension)
        delivery.damaged(KINDS[landed.kind[row]], path, int(landed.line[row]), name)


def _write_orders(delivery: Delivery, orders: Sheet) -> None:
    days_with_rows = np.unique(orders.day)
    later = days_with_rows[
        (days_with_rows >= delivery.days // 2 + 2)
        & (days_with_rows + _CORRECTED_AFTER < delivery.days)
    ]
    _write_sheet(delivery, orders, correct=int(later[0]) if len(later) else None)


def _write_sheet(delivery: Delivery, sheet: Sheet, correct: int | None = None) -> None:
    """Write the files of a sheet; on the day `correct`, first one with amounts in cents."""
    changes = []
    if sheet.renamed:
        changes.append(("header_renamed", sheet.renamed[0], " -> ".join(sheet.renamed[1:])))
    if sheet.dropped:
        changes.append(("column_dropped", sheet.dropped[0], sheet.dropped[1]))
    for day, rows, content in sheet.files():
        path = delivery.name(sheet.dataset, day, sheet.extension)
        if day == correct:
            first, last = np.searchsorted(sheet.day, [day, day + 1]).tolist()
            wrong = dict(sheet.columns)
            wrong["revenue"] = [value.replace(".", "") for value in sheet.columns["revenue"]]
            before = sheet.content(first, last, wrong)
            delivery.corrected(path, day, before, rows, content, rows)
        else:
            delivery.put(path, day, content, rows)
        for change in list(changes):
            if day >= change[1]:
                delivery.damaged(change[0], path, None, None, change[2])
                changes.remove(change)


def _damage(delivery: Delivery, sheet: Sheet, planted: list[tuple[str, int]], record: str) -> None:
    for kind, row in planted:
        path = delivery.name(sheet.dataset, int(sheet.day[row]), sheet.extension)
        delivery.damaged(kind, path, sheet.line(row), sheet.columns[record][row])
