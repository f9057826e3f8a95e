"""Every planted defect of a simulated shop is in the accounting of the warehouse, and no other."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from simulated_files import planted, text_of

from apportion import built, simulate, transform, warehouse
from apportion.load import load
from apportion.night import Night
from apportion.settings import Settings

Defects = dict[str, set[tuple[str, int | None]]]

# Reason of CSV lines that hold no record, so that no row number was spent on them. JSON lines are
# numbered as they stand.
NO_RECORD = re.compile(r"\d+ values where the header has")
SELECTED = ("+load_accounting", "+source_schema_changes", "stg_landing__event_timeliness")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `landing` and `truth` of a small shop."""
    folder = tmp_path_factory.mktemp("shop")
    simulate.simulate(folder / "landing", users=300, days=40, seed=11)
    return folder


def deliver(shop: Path, landing: Path, version: int) -> list[dict]:
    """Copy the files of one version into a landing folder."""
    files = pq.read_table(shop / "truth/files.parquet").to_pylist()
    files = [row for row in files if row["version"] == version]
    for row in files:
        source = "landing" if row["source"] == "landing" else "truth/superseded"
        (landing / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shop / source / row["path"], landing / row["path"])
    return files


def build(settings: Settings, *, full_refresh: bool = False) -> None:
    """Build the accounting: what it reads wholly, its own incremental table as a night does."""
    with warehouse.connect(settings.warehouse) as connection:
        built.prepare(connection)
    own = ["load_timeliness", "load_accounting"]
    dbt(settings, "--select", *SELECTED, "--exclude", *own, "--full-refresh")
    dbt(settings, "--select", *own, *(["--full-refresh"] if full_refresh else []))


def dbt(settings: Settings, *options: str) -> None:
    # Only tests of which everything is built.
    chosen = ("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")
    result = transform.invoke(settings, ["build", *chosen, *options], quiet=True)
    assert result.success, result.exception or [
        (node.node.name, node.message)
        for node in result.result.results
        if node.status not in ("success", "pass")
    ]


def query(settings: Settings, sql: str) -> list[tuple]:
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def nights(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict, dict]:
    """The shop in two loads: as it came first, then with the corrected files.

    Returns:
        the installation, and by path what the accounting said after each of the loads.
    """
    folder = tmp_path_factory.mktemp("nights")
    settings = Settings(folder / "data", folder / "landing")
    said = []
    for version in (1, 2):
        deliver(shop, settings.landing, version)
        load(Night(settings))
        build(settings)
        said.append(
            {
                str(Path(path).relative_to(settings.landing)): rest
                for path, *rest in query(
                    settings,
                    "select path, file_seq, rows_in_file,"
                    " (select sum(revenue) from staging.stg_landing__orders"
                    " where file_seq = files.file_seq) from marts.load_accounting as files",
                )
            }
        )
    return settings, *said


@pytest.fixture(scope="module")
def settings(nights) -> Settings:
    return nights[0]


def accounted(settings: Settings) -> Defects:
    """What the warehouse says: outcome to (file, line); line None for a whole file."""
    landing = settings.landing
    paths = {
        seq: str(Path(path).relative_to(landing))
        for seq, path in query(settings, "select file_seq, path from marts.load_accounting")
    }
    spent: dict[int, set[int]] = {}
    for seq, line, reason in query(settings, "select file_seq, line, reason from raw._quarantine"):
        if NO_RECORD.match(reason):
            spent.setdefault(seq, set()).add(line)
    lines: dict[int, list[int]] = {}

    def line(seq: int, number: int) -> int:
        """The line of a row: the rows of a file are its lines but those without a record."""
        if seq not in lines:
            count = len(text_of(landing / paths[seq]).splitlines())
            first = 2 if ".csv" in paths[seq] else 1
            lines[seq] = [n for n in range(first, count + 1) if n not in spent.get(seq, ())]
        return lines[seq][number - 1]

    def rows(sql: str) -> set[tuple[str, int | None]]:
        found = query(settings, sql)
        assert len(set(found)) == len(found)
        return {(paths[seq], line(seq, number)) for seq, number in found}

    timely = "select file_seq, row_number from staging.stg_landing__event_timeliness where"
    return {
        "quarantined": {
            (paths[seq], number)
            for seq, number in query(
                settings, "select file_seq, line from staging.stg_landing__quarantine"
            )
        },
        "duplicate": rows(
            "select file_seq, row_number from staging.stg_landing__events except"
            " select file_seq, row_number from intermediate.int_events__deduplicated"
        ),
        "late": rows(f"{timely} is_late"),
        "out_of_order": rows(f"{timely} is_out_of_order"),
        "skewed": rows(f"{timely} is_skewed"),
        "unknown_currency": rows(
            "select orders.file_seq, orders.row_number from staging.stg_landing__orders as orders"
            " inner join marts.unknown_currencies as unknown on orders.file_seq = unknown.file_seq"
            " and upper(trim(orders.currency)) = unknown.currency"
        ),
        "duplicate_file": {
            (paths[seq], None)
            for (seq,) in query(
                settings, "select file_seq from marts.load_accounting where status = 'duplicate'"
            )
        },
        "schema_change": {
            (paths[seq], None)
            for (seq,) in query(settings, "select file_seq from marts.source_schema_changes")
        },
    }


def test_every_planted_defect_is_found_and_nothing_else(shop, settings) -> None:
    expected = planted(shop / "truth")
    del expected["replaced"]
    found = accounted(settings)
    assert all(expected.values())
    assert found.keys() == expected.keys()
    for outcome, rows in expected.items():
        assert rows - found[outcome] == set(), f"missed: {outcome}"
        assert found[outcome] - rows == set(), f"invented: {outcome}"


def test_the_counts_of_each_file_are_those_of_its_defects(shop, settings) -> None:
    expected = planted(shop / "truth")
    for column, outcome in {
        "rows_quarantined": "quarantined",
        "duplicate_rows": "duplicate",
        "late_rows": "late",
        "out_of_order_rows": "out_of_order",
        "skewed_rows": "skewed",
        "unknown_currency_rows": "unknown_currency",
    }.items():
        counts = {
            str(Path(path).relative_to(settings.landing)): count
            for path, count in query(
                settings, f"select path, {column} from marts.load_accounting where {column} > 0"
            )
        }
        assert counts == Counter(file for file, _ in expected[outcome]), column


def test_schema_changes_say_what_changed(shop, settings) -> None:
    planted_changes = {
        (row["file"], row["kind"], row["detail"])
        for row in pq.read_table(shop / "truth/defects.parquet").to_pylist()
        if row["outcome"] == "schema_change"
    }
    found = {
        (
            str(Path(path).relative_to(settings.landing)),
            {"renamed": "header_renamed", "removed": "column_dropped"}.get(change, change),
            f"{previous} -> {header}" if change == "renamed" else header,
        )
        for path, change, header, previous in query(
            settings,
            "select path, change_type, header_name, previous_header"
            " from marts.source_schema_changes",
        )
    }
    assert found == planted_changes
    assert {kind for _, kind, _ in found} == {"header_renamed", "column_dropped"}


def test_a_corrected_file_replaces_its_rows(shop, nights) -> None:
    _, before, after = nights
    corrected = {file for file, _ in planted(shop / "truth")["replaced"]}
    rows = {
        (row["path"], row["version"]): row["rows"]
        for row in pq.read_table(shop / "truth/files.parquet").to_pylist()
    }
    assert len(corrected) == 2
    assert {path for path in after if after[path] != before[path]} == corrected
    for path in corrected:
        assert after[path][0] == before[path][0], "a path keeps its number"
        assert (before[path][1], after[path][1]) == (rows[path, 1], rows[path, 2])
    (orders,) = (path for path in corrected if path.startswith("orders/"))
    assert before[orders][2] == 100 * after[orders][2]
    (events,) = corrected - {orders}
    assert before[events][1] < 0.7 * after[events][1]


def test_the_accounting_of_nights_is_that_of_a_full_refresh(settings) -> None:
    sql = "select * from marts.load_timeliness order by file_seq"
    nightly = query(settings, sql)
    build(settings, full_refresh=True)
    assert query(settings, sql) == nightly
    assert len(nightly) > 30


# ---------- schema changes on rows made up for it


@pytest.mark.parametrize(
    ("first", "second", "changes"),
    [
        ("order_id,ordered_at,revenue", "revenue,order_id,ordered_at", set()),
        (
            "order_id,ordered_at,revenue",
            "order_id,ordered_at,revenue,colour",
            {("added", "colour", None, "extra")},
        ),
        (
            "order_id,ordered_at,revenue,colour",
            "order_id,ordered_at,revenue,color",
            {("added", "color", None, "extra"), ("removed", "colour", "colour", "extra")},
        ),
        (
            "order_id,ordered_at,revenue",
            "Order_ID,ordered_at,revenue",
            {("renamed", "Order_ID", "order_id", "order_id")},
        ),
    ],
)
def test_headers_are_compared_with_the_file_before(
    parsed: Callable, first: str, second: str, changes: set
) -> None:
    values = {"order_id": "1", "ordered_at": "2026-01-01", "revenue": "1"}
    found = parsed(
        {
            f"orders/{number}.csv": f"{header}\n"
            + ",".join(values.get(name.lower(), "red") for name in header.split(","))
            + f"{number}\n"
            for number, header in enumerate((first, second))
        }
    )
    assert found == changes


def test_each_folder_is_compared_with_itself_and_absent_keys_are_no_change(parsed) -> None:
    order = '{"order_id": "1", "ordered_at": "2026-01-01", "revenue": 1'
    assert parsed(
        {
            "orders/shop/1.csv": "order_id,ordered_at,revenue\n1,2026-01-01,1\n",
            "orders/till/1.csv": "transaction_id,ordered_at,revenue\n2,2026-01-01,1\n",
            "orders/web/1.jsonl": f'{order}, "tax": 1}}\n',
            "orders/web/2.jsonl": f"{order}}}\n",
            "orders/web/3.jsonl": f'{order}, "tax": 1, "gift": true}}\n',
            "orders/web/4.jsonl": order.replace("order_id", "transaction_id") + "}\n",
            "orders/shop/2.csv": "order_id,ordered_at,revenue\n3,2026-01-01,1\n",
            "orders/till/2.csv": "transaction_id,ordered_at,revenue\n4,2026-01-01,1\n",
        }
    ) == {
        ("added", "gift", None, "extra"),
        ("renamed", "transaction_id", "order_id", "order_id"),
    }


def test_a_column_of_another_type_is_told(parsed, tmp_path: Path) -> None:
    contents = {}
    for number, sql_type in enumerate(("decimal(18, 4)", "varchar")):
        path = tmp_path / f"{number}.parquet"
        duckdb.sql(
            f"copy (select '{number}' as order_id, date '2026-01-01' as ordered_at,"
            f" cast(1 as {sql_type}) as revenue) to '{path}'"
        )
        contents[f"orders/{number}.parquet"] = path.read_bytes()
    assert parsed(contents) == {("retyped", "revenue", "revenue", "revenue")}


@pytest.fixture
def parsed(settings: Settings, tmp_path: Path) -> Callable[[dict[str, str | bytes]], set[tuple]]:
    """Load files, and give the schema changes that the model finds in them."""

    def read(contents: dict[str, str | bytes]) -> set[tuple]:
        own = Settings(tmp_path / "data", tmp_path / "landing")
        for name, content in contents.items():
            path = own.landing / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        load(Night(own))
        with warehouse.connect(settings.warehouse, read_only=True) as connection:
            models = dict(
                connection.execute(
                    "select view_name, sql from duckdb_views() where view_name in"
                    " ('stg_landing__files', 'stg_landing__file_columns', 'source_schema_changes')"
                ).fetchall()
            )
        assert len(models) == 3
        with warehouse.connect(own.warehouse) as connection:
            connection.execute("create schema staging; create schema marts")
            for name in ("stg_landing__files", "stg_landing__file_columns"):
                connection.execute(models[name])
            connection.execute(models["source_schema_changes"])
            return set(
                connection.execute(
                    "select change_type, header_name, previous_header, column_name"
                    " from marts.source_schema_changes"
                ).fetchall()
            )

    return read
