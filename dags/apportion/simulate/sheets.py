"""Tables of every data set but the events, and how they become files."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass
class Sheet:
    """One data set: its rows, and the day of the file that each is delivered in.

    Attributes:
        dataset: name of the data set.
        extension: csv, json or jsonl, with .gz or .zst after it; or parquet.
        columns: values by name, all of one length; None where there is none.
        day: (rows) day of the file; rows are sorted by it, and within it in the order of the file.
        surplus: rows that get a value too many in a CSV file.
        renamed: from this day on a column has another name: (day, name, new name).
        dropped: from this day on a column is missing: (day, name).
    """

    dataset: str
    extension: str
    columns: dict[str, Sequence[object]]
    day: np.ndarray
    surplus: set[int] = field(default_factory=set)
    renamed: tuple[int, str, str] | None = None
    dropped: tuple[int, str] | None = None

    def __len__(self) -> int:
        return len(self.day)

    def files(self) -> Iterator[tuple[int, int, bytes]]:
        """Day, number of rows and content (not compressed) of each file that has rows."""
        for day in np.unique(self.day).tolist():
            first, last = np.searchsorted(self.day, [day, day + 1]).tolist()
            yield day, last - first, self.content(first, last, self.columns)

    def content(self, first: int, last: int, columns: Mapping[str, Sequence[object]]) -> bytes:
        """The file of the rows from `first` to before `last`, with the values of `columns`."""
        day = int(self.day[first])
        names = {name: name for name in columns}
        if self.renamed and day >= self.renamed[0]:
            names[self.renamed[1]] = self.renamed[2]
        if self.dropped and day >= self.dropped[0]:
            del names[self.dropped[1]]
        rows = {new: columns[old][first:last] for old, new in names.items()}
        if self.extension == "parquet":
            return _parquet(rows)
        if self.extension.startswith("csv"):
            surplus = {row - first for row in self.surplus if first <= row < last}
            return _csv(rows, surplus)
        objects = [
            {name: value for name, value in zip(rows, values, strict=True) if value is not None}
            for values in zip(*rows.values(), strict=True)
        ]
        if self.extension.startswith("jsonl"):
            return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects).encode()
        return json.dumps(objects, ensure_ascii=False, indent=1).encode()

    def line(self, row: int) -> int:
        """Line of a row in its file, from 1; in a CSV file the header is line 1."""
        first = int(np.searchsorted(self.day, self.day[row]))
        return row - first + (2 if self.extension.startswith("csv") else 1)


def _csv(rows: Mapping[str, Sequence[object]], surplus: set[int]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows)
    for number, values in enumerate(zip(*rows.values(), strict=True)):
        writer.writerow((*values, "surplus") if number in surplus else values)
    return text.getvalue().encode()


def _parquet(rows: Mapping[str, Sequence[object]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: pa.array(values) for name, values in rows.items()}), sink,
                   compression="zstd")  # fmt: skip
    return sink.getvalue().to_pybytes()


def sheet(
    dataset: str,
    extension: str,
    day: np.ndarray,
    columns: dict[str, Sequence[object]],
    *order: np.ndarray,
) -> Sheet:
    """A sheet with its rows sorted by day, then by `order`, then as given."""
    rows = np.lexsort((*reversed(order), day))
    index = rows.tolist()
    return Sheet(
        dataset,
        extension,
        {
            name: values[rows] if isinstance(values, np.ndarray) else [values[row] for row in index]
            for name, values in columns.items()
        },
        np.asarray(day)[rows],
    )


def week(day: np.ndarray, days: int) -> np.ndarray:
    """Last day of the week of each day, for what is exported weekly; at most the last of all."""
    return np.minimum(day // 7 * 7 + 6, days - 1)


def moments(start: dt.date, time: np.ndarray, form: str = "iso") -> list[str]:
    """Times as text: iso (2026-01-01T00:00:00Z), plain (2026-01-01 00:00:00), epoch seconds."""
    whole = np.datetime64(start, "ms") + np.asarray(time).astype("timedelta64[ms]")
    if form == "epoch":
        return [str(second) for second in whole.astype("datetime64[s]").astype(np.int64).tolist()]
    texts = np.datetime_as_string(whole, unit="s").tolist()
    if form == "plain":
        return [text.replace("T", " ") for text in texts]
    return [f"{text}Z" for text in texts]


def money(amount: np.ndarray) -> list[str]:
    """Amounts as text, to the cent."""
    return [f"{value:.2f}" for value in amount.tolist()]
