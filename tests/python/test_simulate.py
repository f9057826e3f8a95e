"""The simulated shop: its files are what the contract asks for, and its truth is true of them."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import math
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from simulated_files import (
    found_defects,
    header,
    is_amount,
    moment,
    planted,
    rows,
    rows_of,
    text_of,
    unreadable,
)

from apportion import simulate
from apportion.datasets import CLICK_IDS, DATASETS
from apportion.errors import UsageError
from apportion.load import ALIASES, load
from apportion.night import Night
from apportion.readers import read_aliases
from apportion.settings import PROJECT, Settings
from apportion.simulate import events, hazard, history, truth
from apportion.simulate.draws import Draws, pick, scramble, uniform
from apportion.simulate.events import NAMES
from apportion.simulate.people import NEVER
from apportion.simulate.shop import GROUPS, PROGRAMS, SEGMENTS, TACTICS

START = dt.date(2026, 1, 1)

# The shop writes the data sets of the contract itself: it needs no adapter. Vetoes are decisions of
# people.
OF_THE_SHOP = [
    dataset
    for dataset in DATASETS.values()
    if dataset.name not in ("identity_vetoes", "identity_matches")
    and (dataset.name == "events" or not dataset.is_events)
]
# What only some senders know of their events.
NOT_SIMULATED = {"sent_at", "device_id", *CLICK_IDS.split()}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A folder with `landing` and `truth` of a small shop."""
    folder = tmp_path_factory.mktemp("shop")
    simulate.simulate(folder / "landing", users=700, days=40, seed=7)
    return folder


@pytest.fixture(scope="module")
def happened() -> history.History:
    """The history behind `shop`."""
    return history.build(simulate.WORLDS["default"], 700, 40, 7, START)


def table(folder: Path, name: str) -> list[dict]:
    return pq.read_table(folder / "truth" / f"{name}.parquet").to_pylist()


# ---------- files


def test_same_arguments_give_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        simulate.simulate(tmp_path / name / "landing", users=60, days=14, seed=seed)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    first, other = digests(tmp_path / "one"), digests(tmp_path / "three")
    assert first["truth/identities.parquet"] != other["truth/identities.parquet"]


def test_every_column_of_the_contract_is_there_and_no_other(shop):
    aliases = read_aliases(ALIASES)
    for dataset in OF_THE_SHOP:
        known = {**aliases.get("*", {}), **aliases.get(dataset.name, {})}
        with_value, names = set(), set()
        for row in rows(shop / "landing", dataset.name):
            for name, value in (row.values or {}).items():
                names.add(name)
                if value not in (None, ""):
                    with_value.add(known.get(name.lower(), name))
        columns = {column.name for column in dataset.columns} - NOT_SIMULATED
        assert {known.get(name.lower(), name) for name in names} == columns, dataset.name
        assert with_value == columns, dataset.name


def test_every_value_is_of_its_kind_unless_planted(shop):
    defects = planted(shop / "truth")
    bad = defects["quarantined"]
    readers = {
        "moment": moment,
        "date": moment,
        "money": is_amount,
        "rate": is_amount,
        "number": is_amount,
        "integer": is_amount,
        "flag": lambda value: str(value).lower() in ("true", "false"),
    }
    for dataset in OF_THE_SHOP:
        kinds = {column.name: readers.get(column.kind) for column in dataset.columns}
        required = {column.name for column in dataset.columns if column.is_required}
        for row in rows(shop / "landing", dataset.name):
            if (row.file, row.line) in bad or (row.file, None) in defects["duplicate_file"]:
                continue
            values = {
                {"transaction_id": "order_id"}.get(name, name): value
                for name, value in row.values.items()
                if value not in (None, "")
            }
            assert required <= set(values), row
            if dataset.one_of:
                assert set(dataset.one_of) & set(values), row
            for name, value in values.items():
                assert kinds[name] is None or kinds[name](value), (row.file, row.line, name, value)


def test_events_have_known_names_and_lie_in_the_history(shop):
    first, end = dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1) + dt.timedelta(days=40)
    seen = Counter()
    for row in rows(shop / "landing", "events"):
        if not unreadable(row):
            seen[row.values["event_name"]] += 1
            assert first <= moment(row.values["occurred_at"]) < end
    assert set(seen) == set(NAMES)


def test_files_lie_in_folders_of_the_contract_with_dates_as_names(shop):
    folders = {path.name for path in (shop / "landing").iterdir() if path.is_dir()}
    assert folders == {dataset.name for dataset in OF_THE_SHOP}
    for path in (shop / "landing").rglob("*.*"):
        if path.is_file() and not path.name.startswith("."):
            assert START <= dt.date.fromisoformat(path.name[:10]) < START + dt.timedelta(40)
    formats = {path.name.split(".", 1)[1] for path in (shop / "landing").glob("*/*")}
    assert formats == {
        "jsonl.gz", "csv", "csv.gz", "csv.zst", "jsonl", "jsonl.zst", "json", "parquet",
    }  # fmt: skip


def test_deliveries_in_order_end_in_the_landing_folder(shop, tmp_path):
    found = table(shop, "files")
    assert [row["delivered_on"] for row in found] == sorted(row["delivered_on"] for row in found)
    replaced = set()
    for row in found:
        source = shop / ("landing" if row["source"] == "landing" else "truth/superseded")
        target = tmp_path / row["path"]
        if target.exists():
            replaced.add(row["path"])
            assert row["version"] == 2
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / row["path"], target)
        assert hashlib.sha256(target.read_bytes()).hexdigest() == row["sha256"]
        assert len(list(rows_of(target, row["path"]))) == row["rows"]
    landing = digests(shop / "landing")
    assert landing.pop(".simulated.json")
    assert digests(tmp_path) == landing
    corrected = {row["file"] for row in table(shop, "defects") if row["outcome"] == "replaced"}
    assert replaced == corrected
    assert len(corrected) == 2


# ---------- defects


def test_defects_are_what_a_careful_reader_finds(shop):
    expected = planted(shop / "truth")
    del expected["replaced"]
    assert found_defects(shop / "landing") == expected


def test_every_kind_of_defect_is_planted_at_its_rate(shop):
    kinds = Counter(row["kind"] for row in table(shop, "defects"))
    landed = sum(1 for _ in rows(shop / "landing", "events"))
    for kind, share in {
        "exact_duplicate": 0.005,
        "near_duplicate": 0.005,
        "late": 0.02,
        "out_of_order": 0.03,
        "clock_skew": 0.005,
    }.items():
        assert 0.6 * share < kinds[kind] / landed < 1.4 * share, kind
    malformed = kinds["broken_json"] + kinds["bad_timestamp"] + kinds["bad_amount"]
    assert 0.001 < malformed / landed < 0.003
    for kind in ("ragged_row", "unknown_currency", "header_renamed", "column_dropped"):
        assert kinds[kind] >= 1, kind
    assert kinds["file_delivered_twice"] == 1


def test_records_of_defects_are_named(shop):
    texts = {}
    for row in table(shop, "defects"):
        if row["line"] is None:
            continue
        if row["file"] not in texts:
            texts[row["file"]] = text_of(shop / "landing" / row["file"]).split("\n")
        assert row["record_id"] in texts[row["file"]][row["line"] - 1], row


def test_a_renamed_header_has_an_alias(shop):
    detail = next(
        row["detail"] for row in table(shop, "defects") if row["kind"] == "header_renamed"
    )
    old, new = detail.split(" -> ")
    with ALIASES.open(encoding="utf-8", newline="") as file:
        assert {"dataset": "orders", "alias": new, "column": old} in list(csv.DictReader(file))
    files = sorted((shop / "landing/orders").iterdir())
    assert old in header(files[0])
    assert new in header(files[-1])


def test_the_loader_finds_every_defect_and_no_other(shop, tmp_path):
    settings = Settings(tmp_path / "data", shop / "landing")
    load(Night(settings))
    from apportion import warehouse

    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        quarantine = connection.execute("select path, line from raw._quarantine").fetchall()
        copies = connection.execute(
            "select path, row_number from (select replace(_files.path, $folder, '') as path,"
            " _row_number as row_number, row_number() over (partition by event_id"
            " order by received_at, _file_seq, _row_number) as copy"
            " from raw.events inner join raw._files on events._file_seq = _files.file_seq)"
            " where copy > 1",
            {"folder": f"{shop}/landing/"},
        ).fetchall()
        twice = connection.execute(
            "select path from raw._files where status = 'duplicate'"
        ).fetchall()
        lost = connection.execute("select count(*) from raw.orders where order_id is null")
        assert lost.fetchone()[0] == 0
    expected = planted(shop / "truth")
    landing = shop / "landing"
    assert {(str(Path(path).relative_to(landing)), line) for path, line in quarantine} == (
        expected["quarantined"]
    )
    assert len(quarantine) == len(expected["quarantined"])
    assert {(str(Path(path).relative_to(landing)), None) for (path,) in twice} == (
        expected["duplicate_file"]
    )
    # raw numbers the rows that have a place in a file; quarantined lines before a row count too.
    assert len(copies) == len(expected["duplicate"])
    assert {path for path, _ in copies} == {path for path, _ in expected["duplicate"]}


# ---------- truth of people


def canonical(kind: str, value: object) -> str:
    text = str(value).strip()
    if kind == "email":
        return text.lower()
    return "".join(letter for letter in text if letter.isdigit()) if kind == "phone" else text


def test_identities_cover_every_identifier_and_their_rows_agree(shop):
    owners: dict[tuple[str, str], set[str | None]] = {}
    for row in table(shop, "identities"):
        owners.setdefault((row["identifier_type"], row["identifier_value"]), set()).add(
            row["person"]
        )
    used = set()
    datasets = ("events", "orders", "contacts", "offline_conversions", "consents",
                "experiment_assignments", "profile_attributes", "privacy_requests")  # fmt: skip
    for dataset in datasets:
        for row in rows(shop / "landing", dataset):
            people = [
                owners[kind, canonical(kind, row.values[kind])]
                for kind in truth.IDENTIFIER_TYPES
                if row.values and row.values.get(kind) not in (None, "")
            ]
            used |= {
                (kind, canonical(kind, row.values[kind]))
                for kind in truth.IDENTIFIER_TYPES
                if row.values and row.values.get(kind) not in (None, "")
            }
            if people:
                assert set.intersection(*people), row
    strangers = set(owners) - used
    # Events with broken JSON are the only rows that this reader cannot see.
    broken = sum(row["kind"] == "broken_json" for row in table(shop, "defects"))
    assert len(strangers) <= broken


def test_components_are_what_the_rows_connect(shop):
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node):
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for dataset in ("events", "orders", "contacts", "offline_conversions", "consents",
                    "experiment_assignments", "profile_attributes"):  # fmt: skip
        for row in rows(shop / "landing", dataset):
            if dataset in ("events", "orders") and unreadable(row):
                continue
            nodes = [
                (kind, canonical(kind, row.values[kind]))
                for kind in truth.IDENTIFIER_TYPES
                if row.values.get(kind) not in (None, "")
            ]
            for node in nodes:
                parent[root(node)] = root(nodes[0])
    found = table(shop, "identities")
    shared = {row["component"] for row in found if row["is_shared"]}
    pairs = {
        (row["component"], root((row["identifier_type"], row["identifier_value"])))
        for row in found
        if row["component"] not in shared
        and (row["identifier_type"], row["identifier_value"]) in parent
    }
    # One to one: an order whose row is quarantined is the only link that truth takes for given.
    lost = sum(row["dataset"] == "orders" for row in table(shop, "defects") if row["line"])
    assert abs(len(pairs) - len({component for component, _ in pairs})) <= lost
    assert abs(len(pairs) - len({node for _, node in pairs})) <= lost


def test_people_have_several_devices_late_logins_and_typos(shop):
    found = table(shop, "identities")
    devices = Counter(
        row["person"] for row in found if row["identifier_type"] == "anonymous_id" and row["person"]
    )
    assert sum(count > 1 for count in devices.values()) > 0.2 * len(devices)
    assert any(row["is_shared"] for row in found)
    assert any(row["is_misspelt"] for row in found)
    assert any(row["is_bot"] for row in found)
    unnamed, named = set(), set()
    for row in rows(shop / "landing", "events"):
        if row.values and row.values.get("anonymous_id"):
            (named if row.values.get("user_id") else unnamed).add(row.values["anonymous_id"])
    assert len(named & unnamed) > 0.5 * len(named)


def test_second_devices_are_logged_in_on_late(happened):
    people, visits = happened.people, happened.visits
    is_second = visits.device > people.first_device[visits.person]
    is_member = happened.account_since[visits.person] < 0
    logged = events.logged_in(
        happened.world, happened.draws, people, visits, happened.account_since
    )
    day = visits.time // 86_400_000
    early = logged[is_second & is_member & (day < 5)].mean()
    late = logged[is_second & is_member & (day >= 30)].mean()
    assert early < 0.7 * late


def test_nobody_in_a_control_arm_gets_what_is_tested(shop):
    owner = {
        (row["identifier_type"], row["identifier_value"]): row["person"]
        for row in table(shop, "identities")
        if row["is_owner"]
    }
    control = {"exp-personal-email": set(), "exp-retargeting": set()}
    for row in rows(shop / "landing", "experiment_assignments"):
        if row.values["is_control"]:
            kind = "user_id" if row.values["user_id"] else "anonymous_id"
            control[row.values["experiment_id"]].add(owner[kind, row.values[kind]])
    treated = Counter()
    for row in rows(shop / "landing", "events"):
        experiment = (row.values or {}).get("experiment_id")
        if experiment:
            kind = "email" if row.values.get("email") else "anonymous_id"
            person = owner[kind, row.values[kind]]
            assert person not in control[experiment], row
            treated[experiment] += 1
    assert min(treated[experiment] for experiment in control) > 50
    assert all(0.1 < len(people) / 700 < 0.3 for people in control.values())


# ---------- truth of effects


def test_truth_of_conversions_is_what_the_files_say(shop):
    rates = {
        row.values["date"]: float(row.values["rate_to_usd"])
        for row in rows(shop / "landing", "exchange_rates")
    }
    quarantined = {
        row["record_id"]
        for row in table(shop, "defects")
        if row["dataset"] == "orders" and row["line"]
    }
    refunds: dict[str, float] = {}
    for row in rows(shop / "landing", "refunds"):
        refunds[row.values["order_id"]] = float(row.values["amount"])
    orders, cancelled = {}, set()
    for row in rows(shop / "landing", "orders"):
        if not unreadable(row):
            order_id = row.values.get("order_id") or row.values["transaction_id"]
            if row.values["status"] == "cancelled":
                cancelled.add(order_id)
            orders[order_id] = row.values
    offline = {row.values["conversion_id"]: row.values
               for row in rows(shop / "landing", "offline_conversions")}  # fmt: skip
    found = {row["conversion_id"]: row for row in table(shop, "conversions")}
    assert set(orders) | quarantined | set(offline) == set(found)
    for conversion_id, row in found.items():
        if conversion_id in quarantined:
            continue
        values = orders.get(conversion_id) or offline[conversion_id]
        amount = float(values.get("revenue") or values.get("value"))
        at = moment(values.get("ordered_at") or values.get("converted_at"))
        rate = rates[at.date().isoformat()] if values["currency"] == "EUR" else 1.0
        assert row["is_counted"] == (conversion_id not in cancelled)
        net = 0.0 if conversion_id in cancelled else amount - refunds.get(conversion_id, 0.0)
        assert row["revenue"] == pytest.approx(net * rate, abs=2e-4)
        assert abs(row["converted_at"] - at) < dt.timedelta(seconds=1)
    with_all = next(
        row for row in table(shop, "incremental")
        if (row["dimension"], row["segment"]) == ("total", "all")
    )  # fmt: skip
    assert with_all["conversions_with"] == sum(row["is_counted"] for row in found.values())
    assert with_all["revenue_with"] == pytest.approx(sum(r["revenue"] for r in found.values()))


@pytest.mark.parametrize(
    ("dimension", "value"), [("tactic", "retargeting"), ("channel", "email"), ("total", "all")]
)
def test_a_run_without_the_touches_gives_the_incremental_number(shop, happened, dimension, value):
    names = list(GROUPS)
    index = {"channel": 0, "tactic": 1}.get(dimension)
    gone = [n for n, group in enumerate(names) if index is None or group[index] == value]
    touches = happened.touches
    kept = ~np.isin(touches.group % len(names), gone)
    assert 0 < kept.sum() < len(kept) or dimension == "total"
    without = hazard.Exposures(
        touches.step[kept], touches.person[kept], touches.group[kept], touches.amount[kept]
    )
    alone = hazard.run(
        happened.world, Draws(7), happened.people, happened.wanting, happened.season, without,
        [hazard.Scenario("", "")],
    )  # fmt: skip
    row = happened.keys(alone.orders[0].person, alone.orders[0].step)
    counted = ~happened.baskets.is_cancelled[row] | (
        happened.placements.ordered_at[row] + happened.baskets.cancelled_after[row] >= happened.end
    )
    said = next(
        r for r in table(shop, "incremental")
        if (r["dimension"], r["value"], r["segment"]) == (dimension, value, "all")
    )  # fmt: skip
    assert said["conversions_without"] == counted.sum()
    assert said["expected_without"] == pytest.approx(alone.expected.sum(), rel=1e-5)
    assert said["incremental_conversions"] == said["conversions_with"] - counted.sum()
    assert said["expected_incremental"] > 0


def test_incremental_covers_every_tactic_channel_and_segment(shop):
    found = {(row["dimension"], row["value"], row["segment"]) for row in table(shop, "incremental")}
    segments = {kind.name for kind in SEGMENTS}
    for tactic in (*TACTICS, "none"):
        assert {("tactic", tactic, segment) for segment in ("all", *segments)} <= found
    with (PROJECT / "seeds/channels.csv").open(encoding="utf-8", newline="") as file:
        channels = {row["channel"] for row in csv.DictReader(file)}
    assert {value for dimension, value, _ in found if dimension == "channel"} <= channels
    assert {value for dimension, value, _ in found if dimension == "segment"} == segments
    parts = [r for r in table(shop, "incremental") if r["dimension"] == "tactic"]
    for tactic in TACTICS:
        whole = next(r for r in parts if r["value"] == tactic and r["segment"] == "all")
        pieces = [r for r in parts if r["value"] == tactic and r["segment"] != "all"]
        for name in ("incremental_conversions", "incremental_revenue", "expected_incremental"):
            assert whole[name] == pytest.approx(sum(piece[name] for piece in pieces), abs=1e-3)
    direct = [r for r in table(shop, "incremental") if r["value"] == "direct"]
    assert direct
    assert all(r["expected_incremental"] == 0 for r in direct)


def test_orders_come_after_every_touch_of_their_step(happened):
    made = happened.made
    key = happened.order_key[made]
    at = dict(zip(key.tolist(), happened.placements.ordered_at[made].tolist(), strict=True))
    contacts = happened.contacts
    seen = np.where(contacts.clicked_at < NEVER, contacts.clicked_at, contacts.seen_at)
    compared = 0
    for person, step, touched in zip(
        contacts.person.tolist(), contacts.step.tolist(), seen.tolist(), strict=True
    ):
        if touched < NEVER and (one := person * happened.calendar.steps + step) in at:
            assert touched < at[one]
            compared += 1
    assert compared > 20


def test_the_hazard_is_the_formula():
    """A click of everybody, and what they order, step by step in plain arithmetic."""
    world, people, days = simulate.WORLDS["default"], 120, 30
    few = history.build(world, people, days, 13, START)
    group, clicked, amount = list(GROUPS).index(("display", "retargeting")), 9, 2.5
    touches = hazard.Exposures(
        np.full(people, clicked),
        np.arange(people),
        np.full(people, group),
        np.full(people, amount, np.float32),
    )
    ways = [hazard.Scenario("", ""), hazard.Scenario("total", "all", frozenset(GROUPS))]
    found = hazard.run(world, Draws(13), few.people, few.wanting, few.season, touches, ways)
    for number, orders in enumerate(found.orders):
        made = set(zip(orders.person.tolist(), orders.step.tolist(), strict=True))
        assert len(made) - len({person for person, _ in made}) >= 1, "nobody ordered twice"
        expected = 0.0
        for person in range(people):
            kind = SEGMENTS[few.people.segment[person]]
            response = 1 + world.heterogeneity * kind.response[TACTICS.index("retargeting")]
            beta = 0.0 if number else GROUPS["display", "retargeting"] * response
            exposure, count, last = 0.0, 0, -99
            for step in range(days * 4 - 1):
                exposure *= 2 ** (-6 / (24 * world.half_life_days))
                exposure += amount * (step == clicked)
                begins = few.people.offset[person] + step * 21_600_000
                rate = kind.orders * few.people.step_share[person, step % 4] * few.season[step // 4]
                rate *= 9 if few.wanting[person, step // 4] >= 0 else 1
                rate *= begins >= few.people.arrives_at[person]
                rate *= (1 + 0.15 * min(count, 4)) * (0.25 if step - last <= 8 else 1)
                felt = 1 - math.exp(-exposure / world.saturation)
                expected += 1 - math.exp(-rate * math.exp(beta * felt))
                if (person, step) in made:
                    count, last = count + 1, step
        assert found.expected[number].sum() == pytest.approx(expected, rel=1e-5)
    assert found.expected[0].sum() > 1.01 * found.expected[1].sum()


def test_the_worked_example_of_the_docs_holds():
    table_ = hazard.effects(simulate.WORLDS["default"])
    segment = [kind.name for kind in SEGMENTS].index("trend_followers")
    beta = table_[list(GROUPS).index(("display", "retargeting")), segment]
    assert beta == pytest.approx(0.288)
    for exposure, factor in ((2.5, 1.228), (1.25, 1.143)):
        assert math.exp(beta * (1 - math.exp(-exposure / 2))) == pytest.approx(factor, abs=5e-4)


def test_no_effect_means_none(tmp_path):
    simulate.simulate(tmp_path / "landing", users=300, days=20, seed=5, world="no_effect")
    rows_ = table(tmp_path, "incremental")
    assert rows_[0]["conversions_with"] > 0
    for row in rows_:
        assert row["incremental_conversions"] == 0
        assert row["incremental_revenue"] == 0
        assert row["expected_incremental"] == 0
    assert all(row["incremental_share"] == 0 for row in table(tmp_path, "conversions"))


# ---------- worlds


def share(one: history.History, dimension: str = "total", value: str = "all") -> float:
    """Expected incremental share of the conversions."""
    number = next(
        n for n, s in enumerate(one.scenarios) if (s.dimension, s.value) == (dimension, value)
    )
    whole, without = one.outcome.expected[[0, number]].sum(axis=1)
    return (whole - without) / whole


@pytest.fixture(scope="module")
def worlds() -> dict[str, history.History]:
    return {
        name: history.build(world, 1000, 60, 1, START) for name, world in simulate.WORLDS.items()
    }


def test_worlds_differ_as_they_say(worlds):
    assert {"default", "confounded", "saturation", "carry_over", "synergy", "heterogeneous",
            "no_effect", "seasonal"} <= set(worlds)  # fmt: skip
    assert all(world.description for world in simulate.WORLDS.values())
    assert 0.2 < share(worlds["default"]) < 0.3
    assert share(worlds["no_effect"]) == 0
    assert share(worlds["confounded"], "personalization") < share(worlds["default"]) / 3
    assert len(worlds["saturation"].contacts) > 1.4 * len(worlds["default"].contacts)
    forgets = replace(simulate.WORLDS["carry_over"], half_life_days=4.0)
    assert share(worlds["carry_over"]) > 2 * share(history.build(forgets, 1000, 60, 1, START))
    tactics = ("email_personalization", "retargeting")
    together = sum(share(worlds["synergy"], "tactic", tactic) for tactic in tactics)
    assert together > 1.3 * sum(share(worlds["default"], "tactic", tactic) for tactic in tactics)
    assert (hazard.effects(simulate.WORLDS["heterogeneous"]) < 0).any()
    assert (hazard.effects(simulate.WORLDS["default"]) >= 0).all()
    by_day = np.bincount(
        worlds["seasonal"].placements.ordered_at[worlds["seasonal"].made] // 86_400_000
    )
    assert by_day[5:25].sum() > 1.5 * by_day[35:55].sum()
    linked = [
        np.mean(worlds[name].events.has_user[worlds[name].events.page >= 0])
        for name in ("identity_loss", "default")
    ]
    assert linked[0] < 0.6 * linked[1]


def test_targeting_goes_to_those_who_want_to_buy(worlds):
    number = [n for n, program in enumerate(PROGRAMS) if program.name == "personal-email"]
    aimed = {}
    for name in ("default", "confounded"):
        one = worlds[name]
        rows_ = np.isin(one.contacts.program, number)
        day = one.contacts.sent_at[rows_] // 86_400_000
        aimed[name] = (one.wanting[one.contacts.person[rows_], day] >= 0).mean()
    assert aimed["confounded"] > 2 * aimed["default"]


def test_magnitudes_are_those_of_a_shop(worlds):
    one = worlds["default"]
    assert 0.02 < len(one.made) / len(one.visits) < 0.05
    assert 50 < one.baskets.revenue[one.made].mean() < 70
    assert 0.8 < len(one.events) / (1000 * 60) < 1.5
    assert set(one.baskets.is_euro[one.made].tolist()) == {True, False}
    assert 0.01 < (one.events.person < 0).mean() < 0.02 or (one.events.person < 0).mean() > 0.005


def test_speed_in_terms_of_reading_the_same_events(tmp_path):
    began = time.process_time()
    simulate.simulate(tmp_path / "landing", users=1500, days=60, seed=2)
    written = time.process_time() - began
    lines = [
        line
        for path in (tmp_path / "landing/events").iterdir()
        for line in text_of(path).splitlines()
    ]
    began = time.process_time()
    for line in lines:
        try:
            json.loads(line)
        except json.JSONDecodeError:
            continue
    read = time.process_time() - began
    assert len(lines) > 80_000
    # About twice; a loop over events in Python would be twenty times.
    assert written < 8 * read


# ---------- the call


def test_the_bundled_shop_is_written_once(tmp_path, monkeypatch):
    monkeypatch.setattr(simulate, "SHOP", {"users": 40, "days": 14, "seed": 1, "world": "default"})
    landing = tmp_path / "landing"
    simulate.write_shop(landing)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    simulate.write_shop(landing)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after
    monkeypatch.setattr(simulate, "VERSION", simulate.VERSION + 1)
    (landing / "events/left_over.csv").write_text("x\n")
    simulate.write_shop(landing)
    assert not (landing / "events/left_over.csv").exists()
    assert {path.name for path in landing.iterdir()} - set(DATASETS) == {".simulated.json"}


def test_a_broken_run_is_repeated(tmp_path, monkeypatch):
    landing = tmp_path / "landing"
    simulate.simulate(landing, users=40, days=14, seed=1)
    whole = digests(tmp_path)
    rename = Path.replace

    def fail(path, target):
        if path.name == "orders":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        simulate.simulate(landing, users=40, days=14, seed=2)
    monkeypatch.setattr(Path, "replace", rename)
    simulate.simulate(landing, users=40, days=14, seed=1)
    assert digests(tmp_path) == whole


@pytest.mark.parametrize(
    "arguments",
    [
        {"world": "nowhere"},
        {"users": 0},
        {"days": 13},
        {"seed": -1},
        {"start": dt.datetime.now(dt.UTC).date()},
    ],
)
def test_wrong_arguments_are_told(tmp_path, arguments):
    with pytest.raises(UsageError):
        simulate.simulate(tmp_path / "landing", **{"users": 5, "days": 14, "seed": 1, **arguments})
    assert not list(tmp_path.iterdir())


def test_what_is_not_simulated_is_not_touched(tmp_path):
    mine = tmp_path / "landing/orders/mine.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("order_id\n1\n")
    with pytest.raises(UsageError, match="no simulation wrote"):
        simulate.simulate(tmp_path / "landing", users=5, days=14, seed=1)
    assert mine.read_text() == "order_id\n1\n"
    other = tmp_path / "other/truth"
    other.mkdir(parents=True)
    (other / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="something else"):
        simulate.simulate(tmp_path / "other/landing", users=5, days=14, seed=1)
    assert (other / "mine.txt").read_text() == "x"


def test_a_shop_of_one_person_is_written(tmp_path):
    simulate.simulate(tmp_path / "landing", users=1, days=14, seed=1)
    assert (tmp_path / "truth/incremental.parquet").is_file()


# ---------- numbers


def test_draws_depend_on_their_coordinates_alone():
    key = Draws(1).key("orders", 3)
    person, step = np.arange(1000), np.arange(1000) * 7 % 100
    shuffled = np.random.default_rng(0).permutation(1000)
    assert (
        uniform(key, person, step)[shuffled] == uniform(key, person[shuffled], step[shuffled])
    ).all()
    assert len(np.unique(scramble(key, np.arange(100_000)))) == 100_000
    assert abs(uniform(key, np.arange(100_000)).mean() - 0.5) < 0.01
    other = uniform(Draws(1).key("orders", 4), person, step)
    assert abs(np.corrcoef(other, uniform(key, person, step))[0, 1]) < 0.1


def test_pick_takes_the_class_of_the_interval():
    cumulative = np.array([0.2, 0.5, 1.0])
    chosen = np.array([0.0, 0.2, 0.49, 0.5, 0.999])
    assert pick(cumulative, chosen).tolist() == [0, 1, 1, 2, 2]
    assert pick(np.tile(cumulative, (5, 1)), chosen).tolist() == [0, 1, 1, 2, 2]
