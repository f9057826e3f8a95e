"""Loading: what arrives in raw, what goes to quarantine, and that nothing is lost on the way."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import hmac
import json
import logging
import os
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from apportion import casts, ledger, load, readers, warehouse
from apportion.datasets import DATASETS
from apportion.errors import ApportionError, UsageError
from apportion.night import Night
from apportion.settings import PROJECT, Settings

ORDERS = "order_id,ordered_at,revenue,user_id\n"


class World:
    """A landing folder and the warehouse that it is loaded into."""

    def __init__(self, root: Path):
        self.settings = Settings(data=root / "data", landing=root / "landing")
        self.settings.landing.mkdir(parents=True)

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.settings.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, **options: object) -> str:
        return load.load(Night(self.settings, **options))

    def rows(self, sql: str, *parameters: object) -> list[tuple]:
        with warehouse.connect(self.settings.warehouse, read_only=True) as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    def orders(self) -> list[str]:
        return [row[0] for row in self.rows("select order_id from raw.orders order by all")]

    def quarantine(self) -> list[tuple]:
        return self.rows("select line, reason, raw_text from raw._quarantine order by all")

    def check_accounting(self) -> None:
        """Every row of every file is loaded or quarantined, and the ledger says the same."""
        for dataset in DATASETS:
            assert (
                self.rows(
                    f"select file_seq, count(_row_number) from raw._files"
                    f" left join raw.{dataset} on _file_seq = file_seq where dataset = ?"
                    " group by file_seq, rows_loaded having count(_row_number) <> rows_loaded",
                    dataset,
                )
                == []
            )
        assert self.rows(
            "select file_seq from raw._files left join raw._quarantine using (file_seq)"
            " group by file_seq, rows_quarantined, rows_in_file, rows_loaded"
            " having count(line) + count(*) filter (where line is null and raw_text is null"
            " and _quarantine.reason is not null) <> rows_quarantined"
            " or rows_in_file <> rows_loaded + rows_quarantined"
        ) == []  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# What there is to load


def test_missing_landing_folder_is_wrong_usage(tmp_path):
    settings = Settings(data=tmp_path / "data", landing=tmp_path / "nowhere")
    with pytest.raises(UsageError) as error:
        load.load(Night(settings))
    assert error.value.exit_status == 2
    assert str(tmp_path / "nowhere") in error.value.what
    assert "--landing" in error.value.next_step


def test_empty_landing_folder_with_an_empty_warehouse_fails(world):
    with pytest.raises(ApportionError) as error:
        world.load()
    assert error.value.exit_status == 1
    assert str(world.settings.landing) in error.value.what
    assert "orders" in error.value.next_step


def test_empty_landing_folder_is_fine_once_something_was_loaded(world):
    path = world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.load()
    path.unlink()
    assert world.load() == "0 files, 0 rows, 0 quarantined"
    assert world.orders() == ["1"]


def test_every_dataset_has_its_table_when_only_one_landed(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.load()
    for dataset in DATASETS.values():
        described = world.rows(f"describe raw.{dataset.name}")
        expected = [(column.name, column.sql_type.upper()) for column in dataset.columns]
        expected += [(name, sql_type.upper()) for name, sql_type in ledger.BOOKKEEPING]
        assert [(row[0], row[1]) for row in described] == expected


def test_unknown_folders_and_endings_are_named_and_no_error(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.put("oders/b.csv", ORDERS + "2,2024-01-01,5,u\n")
    world.put("orders/c.xlsx", b"PK")
    line = world.load()
    assert line == "1 files, 1 rows, 0 quarantined, not known: oders, orders/c.xlsx"
    assert world.orders() == ["1"]


def test_vars_and_hidden_files_are_no_input(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.put("vars.yml", "a: 1\n")
    world.put("orders/.b.csv", "x")
    world.put("orders/_tmp/c.csv", "x")
    assert world.load() == "1 files, 1 rows, 0 quarantined"


# CSV


def test_csv_values_are_typed(world):
    world.put(
        "orders/a.csv",
        "Order_ID,ORDERED_AT,revenue,currency,status,gift\n"
        ' 7 ,2024-01-01T10:00:00+02:00,12.3456,EUR,"a, ""b""",yes\n8,2024-01-02,-3,,,\n',
    )
    world.load()
    assert world.rows(
        "select order_id, ordered_at, revenue, currency, status, extra::varchar, _row_number"
        " from raw.orders order by _row_number"
    ) == [
        (" 7 ", dt.datetime(2024, 1, 1, 8), Decimal("12.3456"), "EUR", 'a, "b"',
         '{"gift":"yes"}', 1),
        ("8", dt.datetime(2024, 1, 2), Decimal("-3.0000"), None, None, None, 2),
    ]  # fmt: skip


def test_csv_ragged_lines_are_quarantined_and_the_others_load(world):
    world.put(
        "orders/a.csv",
        ORDERS + "1,2024-01-01,5,u\n2,2024-01-01\n\n3,2024-01-01,5,u,9\n4,2024-01-01,6,u\n",
    )
    assert world.load() == "1 files, 2 rows, 2 quarantined"
    assert world.orders() == ["1", "4"]
    assert world.quarantine() == [
        (3, "2 values where the header has 4", "2,2024-01-01"),
        (5, "5 values where the header has 4", "3,2024-01-01,5,u,9"),
    ]
    world.check_accounting()


def test_csv_invalid_utf8_is_quarantined_by_line(world):
    world.put(
        "orders/a.csv",
        ORDERS.encode() + b"1,2024-01-01,5,u\n2,2024-01-01,5,M\xfcller\n3,2024-01-01,5,M\xc3\xbc\n",
    )
    assert world.load() == "1 files, 2 rows, 1 quarantined"
    assert world.quarantine() == [(3, "not UTF-8", "2,2024-01-01,5,M\\xfcller")]
    assert world.rows("select user_id from raw.orders where order_id = '3'") == [("Mü",)]


def test_csv_quote_that_is_never_closed_spoils_its_own_line_only(world):
    lines = [f"{number},2024-01-01,5,u" for number in range(1, 21)]
    lines[6] = '7,2024-01-01,5,"open'
    lines[12] = '13,2024-01-01,5,"mid"dle'
    world.put("orders/a.csv", ORDERS + "\n".join(lines) + "\n")
    assert world.load() == "1 files, 18 rows, 2 quarantined"
    assert [(row[0], row[2]) for row in world.quarantine()] == [(8, lines[6]), (14, lines[12])]
    assert sorted(world.orders(), key=int) == [
        str(number) for number in range(1, 21) if number not in (7, 13)
    ]


def test_csv_record_over_several_lines_keeps_its_line_number_and_its_text(world):
    world.put(
        "orders/a.csv",
        ORDERS + '1,2024-01-01,5,"a\r\nb"\n2,nonsense,5,"c\n\nd"\n3,2024-01-01,5,u\n4,2024-01-01\n',
    )
    assert world.load() == "1 files, 2 rows, 2 quarantined"
    line, reason, text = world.quarantine()[0]
    assert (line, text) == (4, '2,nonsense,5,"c\n\nd"')
    assert reason.startswith("ordered_at: 'nonsense' is not a time")
    assert world.quarantine()[1][0] == 8
    assert world.rows("select replace(user_id, chr(13), '') from raw.orders where order_id = '1'"
    ) == [("a\nb",)]  # fmt: skip


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_csv_other_delimiters_are_found_by_the_header(world, separator):
    text = ORDERS + "1,2024-01-01,5,u\n2,2024-01-01,5\n"
    world.put("orders/a.csv", text.replace(",", separator))
    assert world.load() == "1 files, 1 rows, 1 quarantined"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("bad", ["", "2,2024-01-01\n"])
def test_csv_newlines_and_byte_order_mark(world, newline, mark, bad):
    text = ORDERS + "1,2024-01-01,5,u\n" + bad + "3,2024-01-01,5,u"
    world.put("orders/a.csv", mark + text.replace("\n", newline).encode())
    world.load()
    assert world.rows("select order_id, user_id from raw.orders order by all") == [
        ("1", "u"),
        ("3", "u"),
    ]
    assert [row[0] for row in world.quarantine()] == ([3] if bad else [])


def test_csv_empty_file_and_header_only_load_as_nothing(world):
    world.put("orders/empty.csv", "")
    world.put("orders/blank.csv", "\n\n")
    world.put("orders/header.csv", ORDERS)
    world.put("orders/header_without_newline.csv", ORDERS.strip())
    world.put("events/empty.jsonl", "")
    world.put("events/empty.json", "[]")
    assert world.load() == "6 files, 0 rows, 0 quarantined"
    assert world.rows("select distinct status, rows_in_file from raw._files") == [("loaded", 0)]


def test_csv_two_headers_of_one_column_lose_nothing(world):
    world.put(
        "orders/a.csv",
        "orderId,order_id,ordered_at,revenue\nA,B,2024-01-01,5\nC,,2024-01-01,5\n",
    )
    world.load()
    assert world.rows("select order_id, extra::varchar from raw.orders order by all") == [
        ("B", '{"orderId":"A"}'),
        ("C", '{"orderId":"C"}'),
    ]


def test_csv_without_a_required_column_is_quarantined_row_by_row(world):
    world.put("orders/a.csv", "order_id,revenue\n1,5\n2,6\n")
    assert world.load() == "1 files, 0 rows, 2 quarantined"
    assert world.quarantine() == [
        (2, "ordered_at is missing", "1,5"),
        (3, "ordered_at is missing", "2,6"),
    ]
    world.check_accounting()


# JSON


def test_json_lines_are_typed_and_unknown_keys_kept(world):
    world.put(
        "events/a.jsonl",
        json.dumps(
            {
                "eventId": "e1",
                "Event_Name": "page_viewed",
                "occurred_at": 1704103200,
                "clientId": 12345678901,
                "properties": {"engagement_seconds": 3, "deep": [1, {"a": None}]},
                "is_personalized": True,
                "we ird/ke~y\"'": {"x": 1.5},
                "": None,
            }
        )
        + "\n",
    )
    world.load()
    assert world.rows(
        "select event_id, event_name, occurred_at, anonymous_id, is_personalized,"
        " properties::varchar, extra::varchar from raw.events"
    ) == [
        (
            "e1", "page_viewed", dt.datetime(2024, 1, 1, 10), "12345678901", True,
            '{"engagement_seconds":3,"deep":[1,{"a":null}]}',
            '{"":null,"we ird/ke~y\\"\'":{"x":1.5}}',
        )
    ]  # fmt: skip


def test_json_lines_that_are_broken_are_quarantined(world):
    good = '{"event_id":"%s","event_name":"x","occurred_at":"2024-01-01"}'
    world.put(
        "events/a.ndjson",
        (good % 1).encode()
        + b'\n\n{"event_id":"2","event\n[1]\n{"event_id":"4\xff"}\n'
        + (good % 5).encode(),
    )
    assert world.load() == "1 files, 2 rows, 3 quarantined"
    assert world.quarantine() == [
        (3, "broken JSON", '{"event_id":"2","event'),
        (4, "not a JSON object", "[1]"),
        (5, "not UTF-8", '{"event_id":"4\\xff"}'),
    ]
    world.check_accounting()


def test_json_line_that_is_broken_first_does_not_hide_the_others(world):
    world.put(
        "events/a.json",
        '{"event_id":"1",\n{"event_id":"2","event_name":"x","occurred_at":"2024-01-01"}\n',
    )
    assert world.load() == "1 files, 1 rows, 1 quarantined"
    assert world.quarantine()[0][:2] == (1, "broken JSON")


def test_json_array_and_objects_over_several_lines(world):
    rows = [
        {"order_id": str(number), "ordered_at": "2024-01-01", "revenue": 1} for number in range(3)
    ]
    world.put("orders/array.json", json.dumps(rows[:2], indent=2))
    world.put("orders/compact.jsonl", json.dumps(rows))
    world.put("orders/objects.json", "\n".join(json.dumps(row, indent=2) for row in rows))
    assert world.load() == "3 files, 8 rows, 0 quarantined"
    world.check_accounting()


@pytest.mark.parametrize(
    ("tail", "line", "rest"),
    [
        ('{"order_id":"3","ord', 4, '{"order_id":"3","ord'),
        ('{"order_id":"3"} {"order_id":"4"}]', 4, '{"order_id":"4"}]'),
        ("", 4, ""),
        ("]]", 4, "]]"),
        ('{"order_id":"3"}]]', 4, "]"),
    ],
)
def test_json_array_that_breaks_off_loads_its_complete_elements(world, tail, line, rest):
    good = '{"order_id":"%s","ordered_at":"2024-01-01","revenue":1}'
    world.put("orders/a.json", f"[\n{good % 1},\n{good % 2}" + (f",\n{tail}" if tail else ",\n"))
    world.load()
    assert world.orders()[:2] == ["1", "2"]
    broken = [row for row in world.quarantine() if "JSON" in row[1] or "end" in row[1]]
    assert [(row[0], row[2]) for row in broken] == [(line, rest)]
    world.check_accounting()


def test_json_array_says_the_line_of_an_element_with_a_bad_value(world):
    good = '{"order_id":"%s","ordered_at":"2024-01-01","revenue":%s}'
    bad = good % (3, '"x"')
    world.put("orders/a.json", f"[\n{good % (1, 1)},{good % (2, 2)},\n\n{bad}]\n")
    assert world.load() == "1 files, 2 rows, 1 quarantined"
    line, reason, text = world.quarantine()[0]
    assert (line, text) == (4, bad)
    assert reason.startswith("revenue: 'x' is not an amount")


# Parquet


def test_parquet_types_are_cast_directly(world):
    zoned = dt.timezone(dt.timedelta(hours=2))
    table = pyarrow.table(
        {
            "order_id": pyarrow.array([1, 2]),
            "user_id": pyarrow.array([3.0, 4.5]),
            "ordered_at": pyarrow.array(
                [dt.datetime(2024, 1, 1, 10, tzinfo=zoned), dt.datetime(2024, 1, 2, tzinfo=zoned)],
                pyarrow.timestamp("ns", tz="Europe/Berlin"),
            ),
            "revenue": pyarrow.array([Decimal("0.1"), Decimal("2.3456")]),
            "discount": pyarrow.array([0.1, None]),
            "items": pyarrow.array([[1, 2], None]),
        }
    )
    path = world.put("orders/a.parquet", b"")
    pyarrow.parquet.write_table(table, path)
    assert world.load() == "1 files, 2 rows, 0 quarantined"
    assert world.rows(
        "select order_id, user_id, ordered_at, revenue, discount, extra::varchar"
        " from raw.orders order by order_id"
    ) == [
        ("1", "3", dt.datetime(2024, 1, 1, 8), Decimal("0.1"), Decimal("0.1"), '{"items":[1,2]}'),
        ("2", "4.5", dt.datetime(2024, 1, 1, 22), Decimal("2.3456"), None, None),
    ]


def test_parquet_bad_values_are_quarantined_with_their_row(world):
    table = pyarrow.table(
        {
            "order_id": ["1", None, "3"],
            "ordered_at": pyarrow.array([1704103200000, 1704103200000, 253402300799000]),
            "revenue": [1.0, 2.0, float("nan")],
        }
    )
    path = world.put("orders/a.parquet", b"")
    pyarrow.parquet.write_table(table, path)
    assert world.load() == "1 files, 1 rows, 2 quarantined"
    second, third = world.quarantine()
    assert second[:2] == (2, "order_id is missing")
    assert third[0] == 3
    assert "ordered_at: '253402300799000'" in third[1] and "revenue: 'nan'" in third[1]
    assert json.loads(second[2])["revenue"] == 2.0
    world.check_accounting()


# Values


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-01", dt.datetime(2024, 1, 1)),
        ("2024-01-01T10:00:00", dt.datetime(2024, 1, 1, 10)),
        ("2024-01-01 10:00:00.123456", dt.datetime(2024, 1, 1, 10, 0, 0, 123456)),
        ("2024-01-01T10:00:00Z", dt.datetime(2024, 1, 1, 10)),
        ("2024-01-01T10:00:00-05:30", dt.datetime(2024, 1, 1, 15, 30)),
        ("2024-01-01 10:00:00+02", dt.datetime(2024, 1, 1, 8)),
        ("2024-01-01 10:00:00 +0200", dt.datetime(2024, 1, 1, 8)),
        ("2024-01-01T10:00:00.5 -05:30", dt.datetime(2024, 1, 1, 15, 30, 0, 500000)),
        ("20240101", dt.datetime(2024, 1, 1)),
        ("20240101T100000Z", dt.datetime(2024, 1, 1, 10)),
        ("1704103200", dt.datetime(2024, 1, 1, 10)),
        ("1704103200.5", dt.datetime(2024, 1, 1, 10, 0, 0, 500000)),
        ("1704103200123", dt.datetime(2024, 1, 1, 10, 0, 0, 123000)),
        ("1704103200123456", dt.datetime(2024, 1, 1, 10, 0, 0, 123456)),
        ("0", dt.datetime(1970, 1, 1)),
    ],
)
def test_times_in_every_form(world, text, moment):
    world.put("orders/a.csv", ORDERS + f"1,{text},5,u\n")
    world.put("orders/a.jsonl", json.dumps({"order_id": 1, "ordered_at": text, "revenue": 5}))
    world.load()
    assert world.rows("select ordered_at from raw.orders") == [(moment,), (moment,)]


@pytest.mark.parametrize("number", [1704103200, 1704103200000, 1704103200000000])
def test_epochs_in_parquet(world, number):
    path = world.put("orders/a.parquet", b"")
    table = pyarrow.table({"order_id": ["1"], "ordered_at": [number], "revenue": [1]})
    pyarrow.parquet.write_table(table, path)
    world.load()
    assert world.rows("select ordered_at from raw.orders") == [(dt.datetime(2024, 1, 1, 10),)]


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31",
        "9999-12-31T23:59:59Z",
        "12024-01-01",
        "1969-12-31T23:59:59Z",
        "infinity",
        "epoch",
        "now",
        "2024-02-30",
        "2024-13-01",
        "01/02/2024",
        "253402300799",
        "253402300799000",
        "253402300799000000",
        "1704103200123456789",
        "-1",
        "nan",
        "yesterday",
    ],
)
def test_times_that_are_none_or_out_of_range(world, text):
    world.put("orders/a.csv", ORDERS + f"1,{text},5,u\n2,2024-01-01,5,u\n")
    assert world.load() == "1 files, 1 rows, 1 quarantined"
    line, reason, raw_text = world.quarantine()[0]
    assert (line, raw_text) == (2, f"1,{text},5,u")
    assert f"ordered_at: '{text}'" in reason


def test_occurrences_may_be_up_to_a_day_ahead(world):
    now = dt.datetime.now(dt.UTC)
    for name, hours in (("soon", 23), ("late", 25)):
        moment = (now + dt.timedelta(hours=hours)).isoformat()
        world.put(f"orders/{name}.csv", ORDERS + f"{name},{moment},5,u\n")
    world.load()
    assert world.orders() == ["soon"]


def test_times_that_are_no_occurrence_may_be_later(world):
    world.put("campaigns/a.csv", "campaign_id,ended_at\n1,2199-12-31\n")
    assert world.load() == "1 files, 1 rows, 0 quarantined"


@pytest.mark.parametrize(
    ("dataset", "header", "good", "bad"),
    [
        ("orders", "order_id,ordered_at,revenue", "1,2024-01-01,1e2", "1,2024-01-01,$5"),
        ("orders", "order_id,ordered_at,revenue", "1,2024-01-01,5", '1,2024-01-01,"1,000.00"'),
        ("orders", "order_id,ordered_at,revenue", "1,2024-01-01,5", "1,2024-01-01,"),
        ("orders", "order_id,ordered_at,revenue", "1,2024-01-01,5", "1,2024-01-01,1e15"),
        ("order_items", "order_id,product_id,quantity", "1,2,0.5", "1,2,two"),
        ("order_items", "order_id,product_id,quantity", "1,2,", "1,2,inf"),
        ("ad_spend", "date,spend,clicks", "2024-01-01,5,3.0", "2024-01-01,5,3.5"),
        ("ad_spend", "date,spend", "2024-01-01,5", "9999-01-01,5"),
        ("consents", "user_id,purpose,is_granted,changed_at", "u,p,Yes,2024-01-01",
         "u,p,perhaps,2024-01-01"),
        ("consents", "user_id,purpose,is_granted,changed_at", "u,p,0,2024-01-01",
         ",p,0,2024-01-01"),
        ("contacts", "contact_id,birth_date", "1,1931-05-06", "1,31.12.1999"),
        ("exchange_rates", "date,currency,rate_to_usd", "2024-01-01,IDR,0.0000641",
         "2024-01-01,IDR,n/a"),
        ("events", "event_name,occurred_at,properties", 'x,2024-01-01,"{""a"":1}"',
         "x,2024-01-01,{a}"),
        ("refunds", "refund_id,order_id,refunded_at,amount", "1,1,2024-01-01,5",
         "1,,2024-01-01,5"),
        ("experiment_assignments", "experiment_id,variant_id,anonymous_id,assigned_at",
         "e,v,a,2024-01-01", "e,v,,2024-01-01"),
    ],
)  # fmt: skip
def test_values_that_are_not_of_their_column_go_to_quarantine(world, dataset, header, good, bad):
    world.put(f"{dataset}/a.csv", f"{header}\n{good}\n{bad}\n")
    assert world.load() == "1 files, 1 rows, 1 quarantined"
    assert world.quarantine()[0][0] == 3
    assert world.quarantine()[0][2] == bad
    world.check_accounting()


def test_reason_names_every_column_that_is_wrong(world):
    world.put("orders/a.csv", ORDERS + ",nonsense,x,u\n")
    world.load()
    assert world.quarantine()[0][1] == (
        "order_id is missing; ordered_at: 'nonsense' is not a time (ISO 8601, or epoch seconds,"
        " milli-, micro- or nanoseconds); revenue: 'x' is not an amount (at most 14 digits before"
        " the point)"
    )


def test_exchange_rates_keep_their_small_decimals(world):
    world.put("exchange_rates/a.csv", "date,currency,rate_to_usd\n2024-01-01,IDR,0.0000641\n")
    world.load()
    assert world.rows("select rate_to_usd from raw.exchange_rates")[0][0] == Decimal("0.0000641")


def test_event_id_is_made_of_the_row_so_that_copies_collapse(world):
    world.put(
        "events/a.csv",
        "event_name,occurred_at,user_id,note\nx,2024-01-01,u,a\nx,2024-01-01,u,a\n"
        "x,2024-01-01,u,b\nx,2024-01-01,v,a\n",
    )
    world.put(
        "events/b.jsonl",
        '{"note":"a","user_id":"u","occurred_at":1704067200,"event_name":"x"}\n'
        '{"event_id":"given","event_name":"x","occurred_at":"2024-01-01"}\n',
    )
    world.load()
    ids = [row[0] for row in world.rows("select event_id from raw.events order by _file_seq,"
                                        " _row_number")]  # fmt: skip
    assert ids[0] == ids[1] == ids[4]
    assert len({ids[0], ids[2], ids[3], ids[5]}) == 4
    assert ids[5] == "given"


# File names and endings


@pytest.mark.parametrize(
    "name",
    ["a b.csv", "it's.csv", 'quo"te.csv', "st*r?.csv", "[a-z].csv", "ünï.csv", "UPPER.CSV",
     "day=2024-01-01/part.csv", "a.b.c.csv", "$(x); drop table raw.orders.csv", "new\nline.csv"],
)  # fmt: skip
@pytest.mark.parametrize("bad", ["", "2,2024-01-01\n"])
def test_odd_file_names(world, name, bad):
    world.put(f"orders/{name}", ORDERS + "1,2024-01-01,5,u\n" + bad)
    world.put("orders/sta.csv", ORDERS + "other,2024-01-01,5,u\n")
    world.load()
    assert world.orders() == ["1", "other"]
    assert len(world.quarantine()) == bool(bad)
    assert str(world.settings.landing / "orders" / name) in {
        row[0] for row in world.rows("select path from raw._files")
    }


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "ndjson", "json", "parquet"])
@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_compressed_files(world, tmp_path, ending, compression):
    rows = [{"order_id": "1", "ordered_at": "2024-01-01", "revenue": 5.0, "user_id": "u"}]
    plain = tmp_path / "plain"
    if ending in ("csv", "tsv"):
        text = ORDERS + "1,2024-01-01,5,u\n"
        plain.write_text(text.replace(",", "\t") if ending == "tsv" else text)
    elif ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), plain)
    else:
        plain.write_text(json.dumps(rows if ending == "json" else rows[0]))
    path = world.put(f"orders/a.{ending}.{compression}", b"")
    if compression == "gz":
        path.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        path.write_bytes(pyarrow.compress(plain.read_bytes(), "zstd", asbytes=True))
    assert world.load() == "1 files, 1 rows, 0 quarantined"
    assert world.rows("select order_id, revenue, user_id from raw.orders") == [("1", 5, "u")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.parquet", b"order_id,ordered_at\n1,2\n", "not a Parquet file"),
        ("a.parquet", b"", "not a Parquet file"),
        ("a.parquet", b"PAR1 and nothing else", ""),
        ("a.csv", b"PAR1\0\0", "this is a Parquet file"),
        ("a.csv", gzip.compress(b"x", mtime=0), "this is a gzip file"),
        ("a.csv", b'{"order_id": 1, "ordered_at": 2}\n', "names no column of orders"),
        ("a.csv", b"1,2024-01-01,5\n2,2024-01-01,6\n", "names no column of orders"),
        ("a.csv", (ORDERS + "1,2024-01-01,5,u\n").encode("utf-16"), "UTF-16"),
        ("a.csv", b"order_id,\xff\n1,2\n", "header is not UTF-8"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0", "NUL"),
        ("a.jsonl", ORDERS.encode() + b"2,2024-01-01,5,u\n", "not JSON"),
        ("a.json", b"hello", "not JSON"),
        ("a.csv.gz", ORDERS.encode(), "gzip"),
        ("a.jsonl.zst", b"{}", "zstd"),
        ("a.csv.gz", gzip.compress(ORDERS.encode() * 999, mtime=0)[:-30], ""),
    ],
)
def test_files_that_are_not_what_they_say_fail_alone(world, name, content, reason):
    world.put(f"orders/{name}", content)
    world.put("orders/good.csv", ORDERS + "1,2024-01-01,5,u\n")
    line = world.load()
    assert line.startswith("1 files, 1 rows, 1 quarantined, 1 files could not be read")
    assert f"orders/{name}" in line
    assert world.orders() == ["1"]
    found = world.rows(
        "select files.status, rows_in_file, rows_loaded, rows_quarantined, files.reason,"
        " quarantine.reason, quarantine.line from raw._files as files"
        " inner join raw._quarantine as quarantine using (path)"
    )
    assert [row[:4] for row in found] == [("failed", 1, 0, 1)]
    assert reason in found[0][4] and found[0][4] == found[0][5] and found[0][6] is None
    world.load()
    assert world.rows("select count(*) from raw._quarantine") == [(1,)]
    world.check_accounting()


def test_file_that_failed_is_tried_again(world, monkeypatch):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.put("orders/b.csv", ORDERS + "2,2024-01-01,5,u\n")

    def refuse(connection, path, *arguments):
        if path.name == "a.csv":
            raise OSError("the disk is tired")
        return read(connection, path, *arguments)

    read = readers.read
    monkeypatch.setattr(readers, "read", refuse)
    assert "the disk is tired" in world.load()
    monkeypatch.undo()
    assert world.load() == "1 files, 1 rows, 0 quarantined, 1 files unchanged"
    assert world.quarantine() == []
    assert world.orders() == ["1", "2"]


def test_only_files_that_cannot_be_read_is_a_failure(world):
    world.put("orders/a.parquet", "no")
    with pytest.raises(ApportionError) as error:
        world.load()
    assert error.value.exit_status == 1
    assert "a.parquet" in error.value.what


@pytest.mark.parametrize("kind", ["json", "varchar"])
def test_parquet_columns_that_say_they_are_json(world, kind):
    """DuckDB writes its type JSON as a logical type of Parquet."""
    path = world.put("events/a.parquet", b"")
    with warehouse.connect(":memory:") as connection:
        connection.execute(
            "copy (select 'e' as event_id, 'x' as event_name, '2024-01-01' as occurred_at,"
            f" case when i = 0 then '{{\"a\":1}}' end::{kind} as properties,"
            f" case when i = 0 then '[1]' end::{kind} as more from range(2) as numbers (i))"
            f" to '{path}' (format parquet)"
        )
    assert world.load() == "1 files, 2 rows, 0 quarantined"
    more = '{"more":[1]}' if kind == "json" else '{"more":"[1]"}'
    assert world.rows(
        "select properties::varchar, extra::varchar from raw.events order by _row_number"
    ) == [('{"a":1}', more), (None, None)]


# The quarantine


def alias(world: World, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Add a line to the seed of aliases, as a business would."""
    seed = world.settings.landing.parent / "column_aliases.csv"
    known = (PROJECT / "seeds" / "column_aliases.csv").read_text(encoding="utf-8")
    seed.write_text(f"{known}{line}\n", encoding="utf-8")
    monkeypatch.setattr(load, "ALIASES", seed)


PLACES = (
    "select order_id, ordered_at, revenue, user_id, extra::varchar, _file_seq, _row_number"
    " from raw.orders order by _file_seq, _row_number"
)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet"])
@pytest.mark.parametrize("by_hand", [True, False])
def test_rows_come_in_at_their_old_place_once_an_alias_is_there(
    world, tmp_path, monkeypatch, ending, by_hand
):
    """The warehouse is then the one in which the alias was there from the first night."""
    days = {
        "1": [{"order_id": str(n), "ordered_at": "2024-01-01", "revenue": 1} for n in range(3)],
        "2": [
            {"order_id": "3", "ordered_at": "2024-01-02", "takings": 1},
            {"order_id": "4", "ordered_at": "2024-01-02", "takings": 2},
            {"order_id": "5", "ordered_at": "never", "takings": 2},
        ],
        "3": [{"order_id": "6", "ordered_at": "2024-01-03", "revenue": 1}],
    }
    other = World(tmp_path / "other")
    for day, rows in days.items():
        for one in (world, other):
            path = one.put(f"orders/{day}.{ending}", b"")
            if ending == "parquet":
                pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
            elif ending == "csv":
                lines = [",".join(map(str, row.values())) for row in rows]
                path.write_text("\n".join([",".join(rows[0]), *lines]) + "\n")
            elif ending == "json":
                path.write_text(json.dumps(rows))
            else:
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        world.load()
    assert world.orders() == ["0", "1", "2", "6"]
    night = Night(world.settings)
    second = world.settings.landing / "orders" / f"2.{ending}"
    assert load.retry(night) == [f"{second}: 3 rows wait, for the same reasons as before"]
    alias(world, monkeypatch, "orders,takings,revenue")
    if by_hand:
        assert load.retry(night) == [f"{second}: 2 rows are loaded, 1 wait (3 before)"]
        assert "by new column aliases" not in world.load()
    else:
        assert "by new column aliases: " in world.load()
    other.load()
    assert world.rows(PLACES) == other.rows(PLACES)
    assert len(world.rows(PLACES)) == 6
    columns = "select file_seq, header, column_name from raw._file_columns order by all"
    assert world.rows(columns) == other.rows(columns)
    assert [row[:2] for row in world.quarantine()] == [row[:2] for row in other.quarantine()]
    world.check_accounting()
    assert "by new column aliases" not in world.load()


def test_retry_after_a_rule_was_mended(world, monkeypatch):
    """A rule of the loader itself: here, what a flag may be."""
    path = world.put(
        "consents/a.csv",
        "user_id,purpose,is_granted,changed_at\nu,p,ja,2024-01-01\nv,p,1,2024-01-01\n"
        "w,p,ja,2024-01-01\n",
    )
    world.load()
    cast = casts.cast
    monkeypatch.setattr(
        casts, "cast",
        lambda column, value, source: f"({value} = 'ja' or {cast(column, value, source)})"
        if column.kind == "flag" else cast(column, value, source),
    )  # fmt: skip
    assert load.retry(Night(world.settings), [path]) == [
        f"{path}: 3 rows are loaded, 0 wait (2 before)"
    ]
    assert world.rows("select user_id, _row_number from raw.consents order by _row_number") == [
        ("u", 1), ("v", 2), ("w", 3),
    ]  # fmt: skip
    assert load.retry(Night(world.settings)) == []
    world.check_accounting()


def test_retry_says_what_it_cannot_do(world, monkeypatch):
    gone = world.put("orders/a.csv", ORDERS + "1,x,5,u\n")
    changed = world.put("orders/b.csv", ORDERS + "2,x,5,u\n")
    broken = world.put("orders/c.parquet", b"PAR1")
    world.put("orders/d.csv", ORDERS + "4,2024-01-01,5,u\n")
    world.load()
    gone.unlink()
    changed.write_text(ORDERS + "2,2024-01-01,5,u\n")
    told = load.retry(Night(world.settings))
    assert told[0] == f"{gone}: 1 rows wait; the file is gone, land it again at this path"
    assert told[1] == f"{changed}: its content is another one now; the next night loads it"
    assert told[2].startswith(f"{broken}: cannot be read: ")
    assert len(told) == 3
    with pytest.raises(UsageError):
        load.retry(Night(world.settings), [world.settings.landing / "orders/never.csv"])
    assert world.orders() == ["4"]
    world.check_accounting()


def test_quarantine_on_the_command_line(world, apportion):
    path = world.put("orders/a.csv", ORDERS + "1,ann@example.org,5,u\n2,x,5,u\n3\n")
    data = ("--data", world.settings.data)
    assert apportion("quarantine", "list", *data).returncode == 2
    world.put("orders/good.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.load()
    listed = apportion("quarantine", "list", *data)
    assert listed.returncode == 0, listed.stderr
    assert f"orders: {path}" in listed.stdout
    assert "ordered_at: ... is not a time" in listed.stdout
    assert "1 values where the header has 4" in listed.stdout
    assert "ann@example.org" not in listed.stdout
    shown = apportion("quarantine", "show", path, "--limit", 2, *data)
    assert "line 2: ordered_at: 'ann@example.org' is not a time" in shown.stdout
    assert "\n1,ann@example.org,5,u\n" in shown.stdout
    assert "and 1 more: --limit 3" in shown.stdout
    assert apportion("quarantine", "show", path.with_name("no.csv"), *data).returncode == 2
    path.write_text(ORDERS + "1,2024-01-01,5,u\n")
    retried = apportion("quarantine", "retry", path, *data)
    assert retried.returncode == 0, retried.stderr
    assert "its content is another one now" in retried.stdout
    world.load()
    assert "the quarantine is empty" in apportion("quarantine", "list", *data).stdout
    assert "the quarantine is empty" in apportion("quarantine", "retry", *data).stdout


# The ledger


def test_second_run_reads_nothing(world, monkeypatch):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.load()
    monkeypatch.setattr(ledger, "content_hash", lambda path: pytest.fail("hashed again"))
    monkeypatch.setattr(readers, "read", lambda *arguments: pytest.fail("read again"))
    assert world.load() == "0 files, 0 rows, 0 quarantined, 1 files unchanged"


def test_touched_file_is_hashed_once_and_not_loaded_again(world):
    path = world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.load()
    before = world.rows("select _loaded_at from raw.orders")
    os.utime(path, (1, 1))
    assert world.load() == "0 files, 0 rows, 0 quarantined, 1 files unchanged"
    assert world.rows("select _loaded_at from raw.orders") == before
    assert world.rows("select modified_ns from raw._files") == [(1_000_000_000,)]


def test_replaced_file_replaces_its_rows_and_its_quarantine(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n2,2024-01-01\n")
    world.put("orders/b.csv", ORDERS + "9,2024-01-01,5,u\n")
    world.load()
    world.put("orders/a.csv", ORDERS + "3,2024-01-01,5,u\n4,2024-01-01,5,u\n5,x,5,u\n")
    assert world.load() == "1 files, 2 rows, 1 quarantined, 1 files unchanged"
    assert world.rows("select order_id, _file_seq from raw.orders order by all") == [
        ("3", 1),
        ("4", 1),
        ("9", 2),
    ]
    assert [row[2] for row in world.quarantine()] == ["5,x,5,u"]
    world.check_accounting()


def test_replacement_that_cannot_be_read_leaves_the_rows_until_it_can(world):
    path = world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n2,2024-01-01\n")
    world.load()
    world.put("orders/a.csv", b"PAR1")
    for _ in range(2):
        assert "1 files could not be read" in world.load()
        assert world.orders() == ["1"]
        assert world.rows("select status, rows_in_file, rows_loaded, rows_quarantined"
                          " from raw._files") == [("failed", 3, 1, 2)]  # fmt: skip
        world.check_accounting()
    path.write_text(ORDERS + "3,2024-01-01,5,u\n")
    world.load()
    assert world.orders() == ["3"]
    assert world.quarantine() == []
    world.check_accounting()


def test_same_content_under_another_path_is_loaded_once(world):
    content = ORDERS + "1,2024-01-01,5,u\n2,2024-01-01\n"
    first = world.put("orders/a.csv", content)
    world.put("orders/b.csv", content)
    line = world.load()
    assert line == "1 files, 1 rows, 1 quarantined, 1 files delivered before under another name"
    assert world.orders() == ["1"]
    assert world.rows(
        "select status, duplicate_of, rows_in_file from raw._files order by path"
    ) == [
        ("loaded", None, 2),
        ("duplicate", str(first), 0),
    ]
    assert world.load() == "0 files, 0 rows, 0 quarantined, 2 files unchanged"


def test_duplicate_is_loaded_when_the_first_delivery_changes(world):
    content = ORDERS + "1,2024-01-01,5,u\n"
    world.put("orders/a.csv", content)
    world.put("orders/b.csv", content)
    world.put("orders/c.csv", content)
    world.load()
    world.put("orders/a.csv", ORDERS + "2,2024-01-01,5,u\n")
    world.load()
    assert world.orders() == ["1", "2"]
    assert [row[0] for row in world.rows("select status from raw._files order by path")] == [
        "loaded", "loaded", "duplicate",
    ]  # fmt: skip
    world.check_accounting()


def test_duplicate_that_comes_before_the_first_delivery_in_order(world):
    content = ORDERS + "1,2024-01-01,5,u\n"
    world.put("orders/z.csv", content)
    world.load()
    world.put("orders/a.csv", content)
    world.load()
    world.put("orders/z.csv", ORDERS + "2,2024-01-01,5,u\n")
    world.load()
    assert world.orders() == ["1", "2"]


def test_two_paths_that_swap_their_contents(world):
    contents = [ORDERS + f"{number},2024-01-01,5,u\n" for number in (1, 2)]
    for round_number in range(3):
        world.put("orders/a.csv", contents[round_number % 2])
        world.put("orders/b.csv", contents[1 - round_number % 2])
        world.load()
        assert world.orders() == ["1", "2"]
        world.check_accounting()


def test_duplicate_of_a_delivery_whose_replacement_fails_is_not_loaded_twice(world):
    content = ORDERS + "1,2024-01-01,5,u\n"
    world.put("orders/b.csv", content)
    world.load()
    world.put("orders/a.csv", content)
    world.put("orders/b.csv", b"PAR1")
    world.load()
    assert world.orders() == ["1"]
    world.check_accounting()


def test_same_content_in_two_datasets_is_loaded_in_both(world):
    content = '{"user_id":"u","email":"e","attribute":"a","value":"b","observed_at":"2024-01-01"}'
    world.put("profile_attributes/a.jsonl", content)
    world.put("contacts/a.jsonl", content)
    world.load()
    assert world.rows("select count(*) from raw.profile_attributes") == [(1,)]
    assert world.rows("select count(*) from raw._quarantine where dataset = 'contacts'") == [(1,)]


@pytest.mark.parametrize("point", ["add_to_batch", "write"])
def test_load_that_is_killed_within_a_file_is_repeatable(world, monkeypatch, point):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    world.load()
    world.put("orders/a.csv", ORDERS + "2,2024-01-01,5,u\n3,2024-01-01\n")
    world.put("orders/b.csv", ORDERS + "4,2024-01-01,5,u\n")

    def die(*arguments, **named):
        raise KeyboardInterrupt

    target = ledger if point == "add_to_batch" else ledger.Ledger
    monkeypatch.setattr(target, point, die)
    with pytest.raises(KeyboardInterrupt):
        world.load()
    monkeypatch.undo()
    assert world.orders() == ["1"]
    assert world.quarantine() == []
    world.check_accounting()
    world.load()
    assert world.orders() == ["2", "4"]
    assert len(world.quarantine()) == 1
    assert not list(world.settings.data.glob("load-*"))
    world.check_accounting()


def test_what_a_killed_run_left_behind_is_removed(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n")
    (world.settings.data / "load-killed").mkdir(parents=True)
    (world.settings.data / "load-killed" / "clean.csv").write_text("rows")
    world.load()
    assert not list(world.settings.data.glob("load-*"))


def test_batches_are_one_per_run_and_dataset_and_released(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-01,5,u\n2,2024-01-01\n")
    world.put("orders/b.csv", ORDERS + "3,2024-01-01,5,u\n")
    world.load(run_id="r1")
    world.load(run_id="r2")
    assert world.rows(
        "select batch_id, run_id, dataset, status, files_count, rows_loaded, rows_quarantined"
        " from raw._batches"
    ) == [("r1:orders", "r1", "orders", "released", 2, 2, 1)]
    assert world.rows("select distinct _batch_id from raw.orders") == [("r1:orders",)]


# What a run leaves behind


def test_clock_is_the_end_of_the_night_or_of_the_last_day_of_the_data(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-05T23:00:00-05:00,5,u\n")
    world.put("events/a.csv", "event_name,occurred_at\nx,2024-01-02\n")
    world.put("campaigns/a.csv", "campaign_id,ended_at\n1,2024-06-01\n")
    world.load()
    assert world.rows("from ops.clock") == [(dt.datetime(2024, 1, 7),)]
    world.load(date=dt.date(2024, 1, 3))
    assert world.rows("from ops.clock") == [(dt.datetime(2024, 1, 4),)]
    with warehouse.connect(world.settings.warehouse) as connection:
        connection.execute("update raw._batches set status = 'held' where dataset = 'orders'")
    world.load()
    assert world.rows("from ops.clock") == [(dt.datetime(2024, 1, 3),)]


def test_freshness_of_every_dataset(world):
    world.put("orders/a.csv", ORDERS + "1,2024-01-05,5,u\n")
    world.load(run_id="r1")
    world.load(run_id="r2")
    assert world.rows(
        "select run_id, last_row_at, rows, status from ops.source_freshness"
        " where dataset = 'orders' order by all"
    ) == [
        ("r1", dt.datetime(2024, 1, 5), 1, "updated"),
        ("r2", dt.datetime(2024, 1, 5), 1, "unchanged"),
    ]
    assert world.rows(
        "select count(*), min(status) from ops.source_freshness where rows = 0 and run_id = 'r1'"
    ) == [(len(DATASETS) - 1, "empty")]


def test_sources_are_stale_by_their_last_row_or_their_last_load(world):
    world.put("vars.yml", "stale_after_days: {orders: 3, events: 1.5, refunds: 3}")
    world.put("orders/a.csv", ORDERS + "1,2024-01-02T12:00:00,5,u\n")
    world.put("events/a.csv", "event_name,occurred_at\nx,2024-01-05T12:00:00\n")
    world.put("contacts/a.csv", "contact_id\n1\n")
    query = (
        "select dataset, status, days_overdue from ops.source_freshness where run_id = ?"
        " and dataset in ('orders', 'events', 'refunds', 'contacts') order by dataset"
    )
    world.load(run_id="r1")
    assert world.rows(query, "r1") == [
        ("contacts", "updated", None),
        ("events", "updated", 0),
        ("orders", "stale", 0.5),
        ("refunds", "empty", None),
    ]
    with warehouse.connect(world.settings.warehouse) as connection:
        connection.execute("update raw.events set _loaded_at = _loaded_at - interval 36 hours")
    world.load(run_id="r2")
    status, overdue = world.rows(query, "r2")[1][1:]
    assert status == "stale" and 0 < overdue < 0.1


@pytest.mark.parametrize("text", ["{oders: 3}", "{orders: soon}", "3"])
def test_stale_after_days_that_is_none_is_wrong_usage(world, text):
    world.put("vars.yml", f"stale_after_days: {text}")
    world.put("orders/a.csv", ORDERS + "1,2024-01-02T12:00:00,5,u\n")
    with pytest.raises(UsageError):
        world.load()


@pytest.mark.parametrize("salt", [b"short", b"x" * 64, b"long" * 40])
def test_hmac_pads_give_the_standard_hash(salt):
    inner, outer = ledger.hmac_pads(salt)
    made = hashlib.sha256(outer + hashlib.sha256(inner + b"a@b.c").digest()).hexdigest()
    assert made == hmac.new(salt, b"a@b.c", "sha256").hexdigest()


def test_prepare_is_idempotent_and_keeps_the_key_in_step(world, monkeypatch):
    monkeypatch.setenv("APPORTION_PII_SALT", "one")
    with warehouse.connect(":memory:") as connection:
        load.prepare(connection, world.settings)
        first = connection.execute("from raw._pii_key").fetchall()
        load.prepare(connection, world.settings)
        assert connection.execute("from raw._pii_key").fetchall() == first
        assert first == [ledger.hmac_pads(b"one")]
        monkeypatch.setenv("APPORTION_PII_SALT", "two")
        load.prepare(connection, world.settings)
        assert connection.execute("from raw._pii_key").fetchall() == [ledger.hmac_pads(b"two")]


def test_log_names_run_and_file_and_holds_no_values(world, caplog):
    world.put("orders/a b.csv", ORDERS + "1,2024-01-05,5,ann@example.org\nx,y,z,bob@example.org\n")
    world.put("orders/c.csv", "1,2024-01-05,5,eve@example.org\n")
    with caplog.at_level(logging.INFO, logger="apportion.load"):
        line = world.load(run_id="r1")
    assert "run_id=r1 event=loaded dataset=orders" in caplog.text
    assert 'a b.csv" rows=1 quarantined=1' in caplog.text
    assert "example.org" not in caplog.text + line


ALIASES = [
    (dataset, alias, column)
    for dataset, names in readers.read_aliases(load.ALIASES).items()
    for alias, column in names.items()
]


@pytest.mark.parametrize(("dataset", "alias", "column"), ALIASES)
def test_every_alias_reaches_its_column(dataset, alias, column):
    for one in DATASETS.values() if dataset == "*" else [DATASETS[dataset]]:
        columns = {known.name for known in one.columns}
        assert alias not in columns or dataset == "*", "an alias is the name of another column"
        if column in columns and alias not in columns:
            assert readers.Headers(one, {alias: column}).column(f" {alias.upper()} ") == column
    assert any(column == known.name for one in DATASETS.values() for known in one.columns)


def test_alias_of_a_column_that_the_dataset_has_not_is_no_alias(world):
    world.put("products/a.csv", "product_id,clientId\n1,c\n")
    world.load()
    assert world.rows("select extra::varchar from raw.products") == [('{"clientId":"c"}',)]
