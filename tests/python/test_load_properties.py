"""Random mixes of good and bad lines: nothing is lost, and what is good arrives as written."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apportion import ledger, load, readers, warehouse
from apportion.datasets import DATASETS
from apportion.settings import Settings

HEADER = "product_id,name,category\n"
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0\r\ufdd0"),
    max_size=8,
)
QUOTED = st.tuples(TEXT, TEXT, TEXT).filter(lambda row: row[0] != "")
PLAIN = st.text("abc xyz0189é'", min_size=1, max_size=6)
# Each is one line that no CSV reader can take for a row of three values.
BROKEN = st.sampled_from(
    [
        b"only,two",
        b"one",
        b"a,b,c,d",
        b'"a" b,c,d',
        b'a,"b"c,d',
        b'a,b,"c"d',
        b"a,\xff\xfe,c",
        b'"a,b,c',
        b'a,"b,c',
    ]
)
SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def reader():
    """Reads one file of a dataset: (good rows, rejected lines with their line numbers)."""
    with (
        tempfile.TemporaryDirectory() as folder,
        warehouse.connect(":memory:") as connection,
    ):
        root = Path(folder)
        load.prepare(connection, Settings(root / "data", root / "landing"))
        number = iter(range(10**9))

        def read(dataset: str, ending: str, content: bytes):
            path = root / f"{next(number)}.{ending}"
            path.write_bytes(content)
            headers = readers.Headers(DATASETS[dataset], {})
            readers.read(connection, path, headers, root, ledger.utc_now())
            path.unlink()
            columns = ", ".join(column.name for column in DATASETS[dataset].columns[:3])
            good = connection.execute(
                f"select {columns} from landed_rows where reason = '' order by row_number"
            ).fetchall()
            bad = connection.execute(
                "select line, raw_text from landed_rejects union all"
                " select line, raw_text from landed_rows where reason <> '' order by line"
            ).fetchall()
            return good, bad

        yield read


def as_csv(row: tuple[str, str, str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
    return text.getvalue().encode()


def expected(row: tuple[str, ...]) -> tuple[str | None, ...]:
    return tuple(value or None for value in row)


@SLOW
@given(rows=st.lists(QUOTED, max_size=12))
def test_quoted_csv_arrives_as_written(reader, rows):
    content = HEADER.encode() + b"".join(as_csv(row) for row in rows)
    good, bad = reader("products", "csv", content)
    assert good == [expected(row) for row in rows]
    assert bad == []


@SLOW
@given(rows=st.lists(QUOTED, max_size=8), place=st.integers(0, 8))
def test_quoted_csv_beside_a_bad_line_arrives_as_written(reader, rows, place):
    """The second reading, line by line, gives the same rows as the first would have given."""
    blocks = [as_csv(row) for row in rows]
    place = min(place, len(blocks))
    blocks.insert(place, b"only,two\n")
    good, bad = reader("products", "csv", HEADER.encode() + b"".join(blocks))
    assert good == [expected(row) for row in rows]
    line = 2 + b"".join(blocks[:place]).count(b"\n")
    assert bad == [(line, "only,two")]


@SLOW
@given(
    lines=st.lists(
        st.one_of(
            st.tuples(st.just(True), st.tuples(PLAIN, PLAIN, PLAIN)),
            st.tuples(st.just(False), BROKEN),
            st.tuples(st.just(None), st.just(b"")),
        ),
        max_size=25,
    ),
    newline=st.sampled_from([b"\n", b"\r\n"]),
)
def test_csv_lines_are_loaded_or_quarantined(reader, lines, newline):
    content = [HEADER.strip().encode()]
    content += [",".join(line).encode() if is_good else line for is_good, line in lines]
    good, bad = reader("products", "csv", newline.join(content) + newline)
    assert good == [line for is_good, line in lines if is_good]
    assert [number for number, _ in bad] == [
        number for number, (is_good, _) in enumerate(lines, 2) if is_good is False
    ]
    for number, text in bad:
        assert text.replace("\\xff\\xfe", "\xff\xfe").encode("latin-1") == lines[number - 2][1]


@SLOW
@given(
    lines=st.lists(
        st.one_of(
            st.tuples(
                st.just(True),
                st.fixed_dictionaries(
                    {"product_id": TEXT.filter(bool)},
                    optional={"name": TEXT, "category": TEXT, "more": st.none() | TEXT},
                ),
            ),
            st.tuples(
                st.just(False),
                st.sampled_from(
                    [b'{"product_id":"1"', b"{", b'{"name":"x"}', b"[1]", b"7", b"null", b"{}",
                     b'{"product_id":"\xff"}', b'{"product_id":"1"}}', b"product", b'"text"',
                     b'{"product_id":"1","price":"x"}', b'{"product_id":""}']
                ),
            ),
            st.tuples(st.just(None), st.sampled_from([b"", b"  "])),
        ),
        max_size=25,
    ),
    first=st.just((True, {"product_id": "first"})),
)  # fmt: skip
def test_json_lines_are_loaded_or_quarantined(reader, lines, first):
    lines = [first, *lines]
    content = b"\n".join(
        json.dumps(line, ensure_ascii=False).encode() if is_good else line
        for is_good, line in lines
    )
    good, bad = reader("products", "jsonl", content)
    assert good == [
        expected((line["product_id"], line.get("name"), line.get("category")))
        for is_good, line in lines
        if is_good
    ]
    assert [number for number, _ in bad] == [
        number for number, (is_good, _) in enumerate(lines, 1) if is_good is False
    ]


@SLOW
@given(
    rows=st.lists(
        st.fixed_dictionaries({"product_id": TEXT.filter(bool), "name": TEXT}), min_size=1
    ),
    cut=st.integers(1, 400),
    indent=st.sampled_from([None, 1]),
)
def test_json_array_that_breaks_off_anywhere_loses_nothing(reader, rows, cut, indent):
    whole = json.dumps(rows, indent=indent, ensure_ascii=False)
    text = whole[: max(1, len(whole) - cut)]
    good, bad = reader("products", "json", text.encode())
    complete = 0
    for number in range(len(rows), 0, -1):
        if text.startswith(
            json.dumps(rows[:number], indent=indent, ensure_ascii=False).rstrip("]\n")
        ):
            complete = number
            break
    assert good == [expected((row["product_id"], row["name"], None)) for row in rows[:complete]]
    assert len(bad) == 1
    assert text.endswith(bad[0][1])
