"""Fuzzed files: each is loaded, quarantined by line or failed with a reason; nothing is lost, and
no text of them becomes SQL. `make soak` tries 10,000 of them."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import fuzzed_files
import pytest

from apportion import load, warehouse
from apportion.datasets import DATASETS
from apportion.errors import ApportionError
from apportion.night import Night
from apportion.settings import Settings

FILES = int(os.environ.get("APPORTION_FUZZ", 200))
FIRST = int(os.environ.get("APPORTION_FUZZ_FROM", 0))
FILES_AT_ONCE = 25
ANCHOR = "order_id,ordered_at,revenue\nanchor,2024-01-01,5\n"

# By whether it has rows, and rows in the quarantine.
OUTCOME = {
    (True, False): "loaded whole",
    (True, True): "loaded, lines quarantined",
    (False, True): "each line quarantined",
    (False, False): "no rows",
}
OUTCOMES: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def outcomes() -> None:
    yield
    print("\nfuzzed files by outcome:", dict(sorted(OUTCOMES.items())))


def tables(connection) -> list[tuple]:
    return connection.execute(
        "select schema_name, table_name, column_count from duckdb_tables()"
        " where not temporary order by all"
    ).fetchall()


@pytest.mark.parametrize("first", range(FIRST, FIRST + FILES, FILES_AT_ONCE))
def test_fuzzed_files_are_accounted_for(first: int, tmp_path: Path, monkeypatch) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        monkeypatch.chdir(folder)
        check(first, Path(folder))
        monkeypatch.chdir(tmp_path)


def check(first: int, tmp_path: Path) -> None:
    """Land the files of some seeds in one folder, and account for each."""
    settings = Settings(tmp_path / "data", tmp_path / "landing")
    (settings.landing / "orders").mkdir(parents=True)
    (settings.landing / "orders" / "anchor.csv").write_text(ANCHOR)
    load.load(Night(settings))
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        before = tables(connection)
    landed = {}
    for seed in range(first, first + FILES_AT_ONCE):
        file = fuzzed_files.fuzzed(seed)
        path = settings.landing / file.name
        path.write_bytes(file.content)
        landed[str(path)] = (seed, file)
    try:
        load.load(Night(settings))
    except ApportionError as error:
        pytest.fail(f"seeds from {first}: {error.what}")
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        assert tables(connection) == before, first
        assert not list(tmp_path.rglob("pwned*")), first
        for name in DATASETS:
            rows = connection.execute(f"select count(*) from raw.{name}").fetchone()[0]
            assert (rows > 0) == (name == "orders"), first
        ledger = connection.execute(
            "select path, file_seq, status, reason, rows_in_file, rows_loaded, rows_quarantined"
            " from raw._files"
        ).fetchall()
        assert {row[0] for row in ledger} == {*landed, str(settings.landing / "orders/anchor.csv")}
        for path, file_seq, status, reason, in_file, loaded, quarantined in ledger:
            seed, file = landed.get(path, ("anchor", None))
            check_file(connection, seed, file, file_seq, status, reason)
            assert in_file == loaded + quarantined, seed
    # A second night finds nothing to do, but what failed is tried again.
    assert load.load(Night(settings)).startswith("0 files, 0 rows, "), first


def check_file(connection, seed, file, file_seq: int, status: str, reason: str | None) -> None:
    """Nothing of a file is lost: what was counted is there, and each mark is somewhere."""
    rows = connection.execute(
        "select to_json(orders) from raw.orders as orders where _file_seq = ?", [file_seq]
    ).fetchall()
    bad = connection.execute(
        "select line, reason, raw_text from raw._quarantine where file_seq = ?", [file_seq]
    ).fetchall()
    counted = connection.execute(
        "select rows_loaded, rows_quarantined from raw._files where file_seq = ?", [file_seq]
    ).fetchone()
    assert counted == (len(rows), len(bad)), seed
    assert all(why for _, why, _ in bad), seed
    if status == "failed":
        assert reason and bad[0][0] is None and len(bad) == 1 and not rows, seed
        OUTCOMES["failed as a whole"] += 1
        return
    if status == "duplicate" or file is None:
        OUTCOMES[status] += 1
        return
    assert all(line is not None for line, _, _ in bad), seed
    OUTCOMES[OUTCOME[bool(rows), bool(bad)]] += 1
    kept = "".join([row[0] for row in rows] + [text for _, _, text in bad]).encode()
    if not file.name.endswith((".gz", ".zst", ".parquet")):
        header = file.content.lstrip(b"\xef\xbb\xbf\r\n ").split(b"\n")[0]
        is_csv = file.name.endswith(("csv", "tsv"))
        wanted = set(fuzzed_files.MARK.findall(file.content))
        if is_csv:
            # What stands in the header is no record.
            wanted -= set(fuzzed_files.MARK.findall(header))
        assert wanted <= set(fuzzed_files.MARK.findall(kept)), seed
