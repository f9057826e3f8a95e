"""Erasure: nothing of a person is left anywhere, totals stay, and nobody comes back."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from apportion import (
    erasure,
    fit,
    last_good,
    load,
    privacy,
    publish,
    rewriting,
    simulate,
    transform,
)
from apportion.errors import UsageError
from apportion.night import PRIVACY_STEPS, Night
from apportion.settings import Settings
from apportion.warehouse import connect, identifier, literal

TOTALS = (
    "select conversion_type, count(*), sum(revenue), sum(clv) from marts.conversions"
    " group by all order by all"
)


def green(settings: Settings, run_id: str) -> None:
    """What the gates leave behind when they say yes; they are tested elsewhere."""
    with connect(settings.warehouse) as connection:
        connection.execute(
            "insert into ops.quality_results values"
            f" ('{run_id}', 'marts', 'credits', 'critical', true, '', '', now()::timestamp)"
        )


def night(settings: Settings, run_id: str) -> None:
    """One night without its gates."""
    this = Night(settings, run_id)
    load.load(this)
    for stage in ("staging", "intermediate"):
        transform.build(this, stage)
    fit.score(this)
    transform.build(this, "marts")
    green(settings, run_id)
    publish.publish(this)


def work(settings: Settings, run_id: str) -> None:
    """The steps of the DAG privacy without its gates."""
    this = Night(settings, run_id)
    for step in PRIVACY_STEPS:
        if step.name == "publish":
            green(settings, run_id)
        if step.module != "gates":
            step.run(this)


def ask(settings: Settings, people: Iterable[dict[str, str]], name: str = "asked") -> None:
    folder = settings.landing / "privacy_requests"
    folder.mkdir(parents=True, exist_ok=True)
    common = {"requested_at": "2026-03-01T00:00:00Z", "kind": "erase"}
    rows = [{"request_id": f"{name}-{n}", **common, **who} for n, who in enumerate(people)]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows(settings: Settings, query: str, *parameters: object) -> list[tuple]:
    with connect(settings.warehouse, read_only=True) as connection:
        return connection.execute(query, list(parameters)).fetchall()


def traces(settings: Settings, words: Iterable[str]) -> list[str]:
    """Where one of the words stands: in every table, column and file, by bytes too.

    Few words are looked for in any place, many as words of a text, and the first of them in the
    bytes of the databases, which have no words.
    """
    wanted = sorted(word.lower().encode() for word in words)
    many = set(wanted)

    def holds(data: bytes, first: int = len(wanted) if len(wanted) < 50 else 0) -> bool:
        data = data.lower()
        return any(word in data for word in wanted[:first]) or not many.isdisjoint(
            re.findall(rb"[a-z0-9._%+@-]+", data)
        )

    found = []
    for file in (settings.warehouse, settings.published.resolve() / publish.DATABASE):
        with connect(file, read_only=True) as connection:
            columns = connection.execute(
                "select table_schema, table_name, column_name from information_schema.columns"
            ).fetchall()
            for schema, table, column in columns:
                texts = connection.execute(
                    f"select distinct cast({identifier(column)} as varchar)"
                    f" from {schema}.{identifier(table)}"
                ).fetchall()
                if holds("\n".join(text or "" for (text,) in texts).encode()):
                    found.append(f"{schema}.{table}.{column}")
        if holds(file.read_bytes(), 200):
            found.append(str(file))
    for root in (settings.data, settings.landing):
        for path in root.rglob("*"):
            if not path.is_file() or "target" in path.parts or path.suffix == ".duckdb":
                continue
            if holds(content(path)):
                found.append(str(path))
            if path.suffix == ".parquet":
                values = duckdb.sql(f"from {literal(path)}").fetchall()
                if holds("\n".join(map(str, values)).encode()):
                    found.append(str(path))
    return sorted(set(found))


def content(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with pyarrow.input_stream(str(path), compression="zstd") as file:
            return file.read()
    return path.read_bytes()


def test_a_thousand_people_are_erased_in_one_run(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", tmp_path / "landing")
    simulate.simulate(
        settings.landing, users=1150, days=14, seed=3, world="default", start=simulate.START
    )
    night(settings, "n1")
    before = rows(settings, TOTALS)
    known = rows(
        settings,
        "with people as (select user_key, row_number() over (order by user_key) as number"
        " from (select distinct user_key from intermediate.int_identity__identifiers"
        " where unlinked_reason is null and identifier_type in"
        " ('user_id', 'email', 'phone', 'anonymous_id')))"
        " select user_key, identifier_type, identifier_value"
        " from intermediate.int_identity__identifiers inner join people using (user_key)"
        " where unlinked_reason is null and number <= 1000 order by all",
    )
    asked = {}
    for user_key, kind, value in known:
        if kind in privacy.KINDS:
            asked.setdefault(user_key, {kind: value})
    assert len(asked) == 1000
    words = {value for _, _, value in known} | set(asked)
    assert len(traces(settings, words)) > 50
    ask(settings, asked.values())
    work(settings, "n2")
    assert traces(settings, words) == []
    assert rows(settings, TOTALS) == before
    assert publish.list_versions(settings) == ["n2"]
    log = rows(
        settings,
        "select status, count(*), sum(people_count) from marts.privacy_audit_log"
        " where entry_id like 'asked-%' group by all",
    )
    assert log == [("done", 1000, 1000)]


# Ann goes, Bob stays. They used one device in turn; his page says her address; the same coupons
# were redeemed twice on one day; and what cannot be loaded has her address too.
ANN = {"user_id": "ann-0001", "email": "Ann@Mail.example", "phone": "+43 660 1112223"}
BOB = {"user_id": "bob-0002", "email": "bob@mail.example", "phone": "+43 660 4445556"}
ANN_DEVICE, BOB_DEVICE, SHARED = "device-of-ann", "device-of-bob", "device-of-both"
ANN_WORDS = {"ann-0001", "ann@mail.example", "ann%40mail.example", "436601112223", ANN_DEVICE}


def event(number: int, name: str, at: str, **columns: object) -> dict[str, object]:
    return {"event_id": f"e{number}", "event_name": name, "occurred_at": f"2026-02-{at}"} | columns


EVENTS = [
    event(1, "page_viewed", "01T10:00:00", anonymous_id=ANN_DEVICE, utm_source="google"),
    event(2, "login", "01T10:01:00", anonymous_id=ANN_DEVICE, **ANN),
    event(3, "offer_redeemed", "02T10:00:00", user_id="ann-0001", campaign_id="c1"),
    event(4, "offer_redeemed", "02T11:00:00", user_id="ann-0001", campaign_id="c2"),
    event(5, "offer_redeemed", "03T11:00:00", email=" ANN@mail.example "),
    event(6, "signed_up", "01T10:02:00", user_id="ann-0001", page_url="https://shop.example/?x=1"),
    event(7, "page_viewed", "01T12:00:00", anonymous_id=BOB_DEVICE, utm_source="google"),
    event(
        8, "login", "01T12:01:00", anonymous_id=BOB_DEVICE, **BOB,
        page_url="https://shop.example/?friend=ann%40mail.example",
        properties={"friend": "ann@mail.example", "basket": 12},
    ),
    event(9, "signed_up", "01T12:02:00", user_id="bob-0002"),
    event(10, "login", "05T10:00:00", anonymous_id=SHARED, user_id="ann-0001"),
    event(11, "page_viewed", "05T10:05:00", anonymous_id=SHARED, page_url="https://x.example/hers"),
    event(12, "login", "05T11:00:00", anonymous_id=SHARED, user_id="bob-0002"),
    event(13, "page_viewed", "05T11:05:00", anonymous_id=SHARED, page_url="https://x.example/his"),
    event(14, "order_completed", "06T10:00:00", user_id="ann-0001", order_id="o9", value="7.5"),
    {"event_id": "m1", "event_name": "login", "occurred_at": "x", "email": "ann@mail.example"},
    {"event_id": "m2", "event_name": "login", "occurred_at": "y", "email": "bob@mail.example"},
]  # fmt: skip
ORDERS = [
    {"order_id": "o1", "ordered_at": "2026-02-03T09:00:00Z", "revenue": "10.00", **ANN},
    {"order_id": "o2", "ordered_at": "2026-02-04T09:00:00Z", "revenue": "20.50", **BOB},
    {
        "order_id": "o3",
        "ordered_at": "2026-02-05T10:06:00Z",
        "revenue": "5",
        "anonymous_id": SHARED,
    },
]
CONVERSIONS = [
    {"conversion_id": f"x{n}", "converted_at": "2026-02-07T09:00:00Z", "conversion_type": "call",
     "value": 3, **who}
    for n, who in enumerate((ANN, BOB))
]  # fmt: skip
CONTACTS = [
    {"contact_id": f"crm-contact-{n}", "first_name": name, **who}
    for n, (name, who) in enumerate((("Ann", ANN), ("Bob", BOB)))
]
CONSENTS = [
    {"purpose": "advertising", "is_granted": "true", "changed_at": "2026-02-01", **who}
    for who in (ANN, BOB)
]


def as_csv(data: list[dict]) -> bytes:
    names = list(dict.fromkeys(name for row in data for name in row))
    lines = [names, *([str(row.get(name, "")) for name in names] for row in data)]
    return "".join(",".join(line) + "\r\n" for line in lines).encode()


def as_lines(data: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in data).encode()


def as_zst(data: bytes) -> bytes:
    return pyarrow.compress(data, codec="zstd", asbytes=True)


def write_parquet(path: Path, data: list[dict]) -> None:
    names = list(dict.fromkeys(name for row in data for name in row))
    table = pyarrow.table({name: [row.get(name) for row in data] for name in names})
    pyarrow.parquet.write_table(table, path)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world of Ann and Bob after a night; its paths are those of the folder it is used in."""
    root = tmp_path_factory.mktemp("ann") / "world"
    settings = Settings(root / "data", root / "landing")
    for name, data in {
        "events/web.jsonl": as_lines(EVENTS),
        "orders/orders.csv.gz": gzip.compress(as_csv(ORDERS)),
        "orders/again/orders.csv.gz": gzip.compress(as_csv(ORDERS)),
        "offline_conversions/calls.json": json.dumps(CONVERSIONS, indent=1).encode(),
        "contacts/crm.jsonl.zst": as_zst(as_lines(CONTACTS)),
    }.items():
        path = settings.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (settings.landing / "consents").mkdir()
    write_parquet(settings.landing / "consents" / "consents.parquet", CONSENTS)
    night(settings, "n1")
    shutil.copytree(root, root.with_name("pristine"), symlinks=True)
    return root.with_name("pristine")


@pytest.fixture
def world(pristine: Path) -> Settings:
    root = pristine.with_name("world")
    shutil.rmtree(root)
    shutil.copytree(pristine, root, symlinks=True)
    return Settings(root / "data", root / "landing")


def landed(settings: Settings) -> dict[str, bytes]:
    """What the landing files say, without the requests."""
    return {
        str(path.relative_to(settings.landing)): content(path)
        for path in sorted(settings.landing.rglob("*"))
        if path.is_file() and path.parent.name != "privacy_requests"
    }


def told(settings: Settings) -> dict[str, list[tuple]]:
    """What the warehouse says of people and conversions, whatever the run."""
    return {
        table: rows(settings, f"select * from {table} order by all")
        for table in (
            "marts.conversions", "marts.user_profiles", "marts.touchpoints",
            "marts.attribution_by_channel", "marts.user_identities",
        )
    }  # fmt: skip


def test_ann_is_gone_and_bob_and_the_totals_are_as_before(world: Settings) -> None:
    before, hers = (
        rows(world, TOTALS),
        rows(
            world,
            "select user_key from intermediate.int_identity__identifiers"
            " where identifier_value = 'ann-0001'",
        )[0][0],
    )
    assert dict((row[0], row[1]) for row in before) == {
        "call": 2, "coupon_redemption": 2, "order": 4, "sign_up": 2,
    }  # fmt: skip
    assert len(traces(world, ANN_WORDS)) > 20
    ask(world, [{"phone": "0043 (660) 111 22 23"}])
    work(world, "n2")
    assert traces(world, ANN_WORDS | {hers}) == []
    assert rows(world, TOTALS) == before
    # Of nobody, and credited to nothing.
    assert rows(
        world,
        "select conversion_type, count(*) from marts.conversions where user_key is null"
        " group by all order by all",
    ) == [("call", 1), ("coupon_redemption", 2), ("order", 3), ("sign_up", 1)]
    assert rows(
        world,
        "select distinct channel from marts.attribution_credits inner join marts.conversions"
        " using (conversion_id) where conversions.user_key is null",
    ) == [("unattributed",)]
    # Bob has what was his, and nothing else.
    assert rows(world, "select count(*) from marts.user_profiles") == [(1,)]
    events = {row[0]: row[1:] for row in rows(world, "select event_id, * from raw.events")}
    assert {"e7", "e8", "e9", "e12", "e13"} == {name for name in events if len(name) < 5}
    properties, url = rows(
        world, "select properties, page_url from raw.events where event_id = 'e8'"
    )[0]
    assert json.loads(properties) == {"friend": "", "basket": 12}
    assert url == "https://shop.example/?friend="
    quarantine = rows(world, "select line, raw_text from raw._quarantine")
    assert [json.loads(text)["event_id"] for _, text in quarantine] == ["m2"]
    # The files say what raw says, and the next night finds nothing new.
    assert load.load(Night(world, "n3")).startswith("0 files, 0 rows, 0 quarantined")
    assert publish.list_versions(world) == ["n2"]
    with pytest.raises(Exception, match="no version before"):
        publish.rollback(world)
    # What the warehouse would be restored from is the one without her.
    with connect(last_good.path(world), read_only=True) as connection:
        copied = connection.execute(
            "select count(*), count(*) filter (event_id = 'e8') from raw.events"
        ).fetchone()
    assert copied == (rows(world, "select count(*) from raw.events")[0][0], 1)


def test_no_copy_of_the_warehouse_outlives_an_erasure(world: Settings) -> None:
    aside = world.data / "warehouse.damaged-20260101T000000Z.duckdb"
    shutil.copy(world.warehouse, aside)
    assert last_good.path(world).exists()
    erasure.compact(world)
    assert not last_good.path(world).exists() and not aside.exists()


def test_files_that_are_delivered_again_bring_nobody_back(world: Settings, pristine: Path) -> None:
    ask(world, [{"user_id": "ann-0001"}])
    work(world, "n2")
    expected, files = told(world), landed(world)
    # The old files at their old places, and under new names.
    for folder in ("events", "orders", "offline_conversions", "contacts", "consents"):
        shutil.copytree(pristine / "landing" / folder, world.landing / folder, dirs_exist_ok=True)
    shutil.copy(pristine / "landing" / "events" / "web.jsonl", world.landing / "events" / "z.jsonl")
    night(world, "n3")
    assert traces(world, ANN_WORDS) == []
    assert told(world) == expected
    again = landed(world)
    assert again.pop("events/z.jsonl") == again["events/web.jsonl"]
    assert again == files


def test_an_erased_person_stands_in_a_csv_file_with_damaged_rows(world: Settings) -> None:
    damaged = [
        b"o5,2026-02-08T09:00:00Z,5,b\xffb",
        b'o6,2026-02-08T09:00:00Z,6,"bob"x',
        b"o7,a,b,c,d",
    ]
    good = [b"o4,2026-02-08T09:00:00Z,4,ann-0001", b"o8,2026-02-08T09:00:00Z,8,bob-0002"]
    (world.landing / "orders" / "damaged.csv").write_bytes(
        b"\n".join([b"order_id,ordered_at,revenue,user_id", good[0], *damaged, good[1], b""])
    )
    ask(world, [{"user_id": "ann-0001"}])
    work(world, "n2")
    left = [line for line in landed(world)["orders/damaged.csv"].splitlines() if line]
    assert left[2:] == [*damaged, good[1]]
    assert left[1].startswith(b"o4,") and b"ann" not in left[1]
    assert rows(
        world,
        "select line, raw_text from raw._quarantine where path like '%damaged.csv' order by line",
    ) == [(3, r"o5,2026-02-08T09:00:00Z,5,b\xffb"), (4, damaged[1].decode()), (5, "o7,a,b,c,d")]
    assert traces(world, ANN_WORDS) == []


def test_a_request_before_the_first_file(world: Settings) -> None:
    ask(world, [{"email": "carl@mail.example"}, {"user_id": "null"}], "early")
    work(world, "n2")
    log = "select status, reason from ops.privacy_audit_log where request_id = ?"
    assert rows(world, log, "early-0") == [
        ("done", "nobody is known by it; whoever comes will be kept out")
    ]
    assert rows(world, log, "early-1") == [("refused", "names nobody")]
    carl = {"email": "Carl@mail.example", "user_id": "carl-0003"}
    more = [
        {"order_id": "o7", "ordered_at": "2026-02-08T09:00:00Z", "revenue": "1.25", **carl},
        {"order_id": "o8", "ordered_at": "2026-02-08T09:00:00Z", "revenue": "1", "user_id": "dora"},
    ]
    (world.landing / "orders" / "late.csv").write_bytes(as_csv(more))
    visits = [event(20, "page_viewed", "08T09:00:00", user_id="carl-0003")]
    (world.landing / "events" / "late.jsonl").write_bytes(as_lines(visits))
    night(world, "n3")
    assert rows(world, "select count(*) from raw.events where event_id = 'e20'") == [(0,)]
    assert "carl@" not in landed(world)["orders/late.csv"].decode().lower()
    # What came with his address alone is his too, from now on.
    assert rows(
        world, "select user_id from raw.orders where order_id in ('o7', 'o8') order by order_id"
    ) == [(None,), ("dora",)]
    assert "carl" not in "".join(map(str, landed(world).values())).lower()


def test_the_bundle_of_a_person_holds_what_is_theirs_and_nothing_else(world: Settings) -> None:
    out = world.data / "bundle.json"
    said = privacy.export(world, {"email": " ANN@mail.example"}, out)
    assert said.endswith("rows that follow from them")
    bundle = json.loads(out.read_text())
    assert {row["event_id"] for row in bundle["landed"]["events"]} == {
        "e1", "e2", "e3", "e4", "e5", "e6", "e10", "e11", "e14",
    }  # fmt: skip
    assert [row["order_id"] for row in bundle["landed"]["orders"]] == ["o1", "o3"]
    assert [row["contact_id"] for row in bundle["landed"]["contacts"]] == ["crm-contact-0"]
    assert {row["identifier_value"] for row in bundle["identifiers"]} == {
        "ann-0001", "ann@mail.example", "436601112223", "crm-contact-0", ANN_DEVICE,
    }  # fmt: skip
    assert len(bundle["derived"]["user_profiles"]) == 1
    assert len(bundle["derived"]["conversions"]) == 7
    assert not re.search("bob", out.read_text(), re.I)
    assert out.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError):
        privacy.export(world, {"email": "nobody@mail.example"}, out)


class Killed(BaseException):
    """As if the process had ended here."""


def raw(settings: Settings) -> dict[str, list[tuple]]:
    """What raw says, whenever and in what order it was loaded; and who is kept out."""
    said = {
        dataset: rows(
            settings,
            f"select columns(lambda name: not starts_with(name, '_')) from raw.{dataset}"
            " order by all",
        )
        for dataset in erasure.RULES
    }
    said["quarantine"] = rows(settings, "select line, raw_text from raw._quarantine order by all")
    said["tombstones"] = rows(
        settings, "select identifier_hash, from_at, to_at from ops.tombstones order by all"
    )
    said["log"] = rows(settings, "select request_id, status from ops.privacy_audit_log")
    return said


def until_erased(settings: Settings, run_id: str) -> None:
    this = Night(settings, run_id)
    load.load(this)
    for stage in ("staging", "intermediate"):
        transform.build(this, stage)
    privacy.erase(this)


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [(rewriting, "replace", 2), (erasure.ledger, "content_hash", 9), (erasure, "compact", 1)],
    ids=["between files", "before a file", "before the warehouse is written anew"],
)
def test_a_killed_erasure_is_finished_by_the_next(
    world: Settings,
    straight: tuple[dict, dict],
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    call: int,
) -> None:
    ask(world, [{"user_id": "ann-0001"}])
    load.load(Night(world, "n2"))
    called, real = [], getattr(module, name)

    def killed(*arguments: object) -> object:
        called.append(arguments)
        if len(called) == call:
            raise Killed
        return real(*arguments)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(module, name, killed)
        until_erased(world, "n2")
    until_erased(world, "n3")
    assert (raw(world), landed(world)) == straight
    assert not re.search("|".join(ANN_WORDS), str(straight), re.I)


@pytest.fixture(scope="module")
def straight(pristine: Path) -> tuple[dict, dict]:
    """What is left by an erasure that nothing stopped."""
    root = pristine.with_name("world")
    shutil.rmtree(root)
    shutil.copytree(pristine, root, symlinks=True)
    settings = Settings(root / "data", root / "landing")
    ask(settings, [{"user_id": "ann-0001"}])
    until_erased(settings, "n2")
    return raw(settings), landed(settings)
