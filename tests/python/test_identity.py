"""Who is who, after each of some nights, against brute force and against a full refresh.

Hundreds of small worlds lie side by side, each with a handful of identifiers that stand together at
random, so that people merge, devices become shared and unshared, identifiers become crowded, people
too large, and vetoes part them: links come and go.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import random
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import identity_accuracy
import pytest
from identity_nights import START, resolve
from identity_reference import TYPES, Reference

from apportion import identity
from apportion.errors import ApportionError, UsageError
from apportion.settings import Settings
from apportion.warehouse import connect

NIGHTS = (10, 11, 25, 40)
WORLDS = 150
VARS = {"max_people_per_identifier": 2, "max_identifiers_per_user": 6}


# ---------- the worlds


def world(name: str, dice: random.Random) -> list[tuple[int, str, dict]]:
    """The rows of one world, as (night, data set, row)."""
    pool = {
        "user_id": [f"{name}-u{n}" for n in range(dice.randint(1, 4))],
        "email": [f"{name}-{n}@mail.example" for n in range(dice.randint(1, 4))],
        "phone": [f"43{name[1:]}555{n}" for n in range(2)],
        "contact_id": [f"{name}-c{n}" for n in range(3)],
        "anonymous_id": [f"{name}-a{n}" for n in range(dice.randint(1, 5))],
        "device_id": [f"{name}-d{n}" for n in range(2)],
        "click_id": [f"{name}-k{n}" for n in range(2)],
    }
    if dice.random() < 0.2:
        pool["email"][0] = f"info@{name}.example"
    rows = []
    for number in range(dice.randint(4, 24)):
        night = dice.randrange(len(NIGHTS))
        # Rarely of the future: the row counts when its time is come.
        days = NIGHTS[night] + (15 if dice.random() < 0.05 else 0)
        moment = (START + dt.timedelta(minutes=dice.randrange(0, days * 144) * 10)).isoformat()
        if dice.random() < 0.25:
            kinds = ["contact_id", *dice.sample(["user_id", "email", "phone"], dice.randint(0, 2))]
            row = {"created_at": moment}
            dataset = "contacts"
        else:
            kinds = dice.sample([k for k in TYPES if k != "contact_id"], dice.choice([1, 2, 2, 3]))
            row = {"event_id": f"{name}-e{number}", "event_name": "seen", "occurred_at": moment}
            dataset = "events"
        rows.append((night, dataset, row | {kind: dice.choice(pool[kind]) for kind in kinds}))
    if dice.random() < 0.3:
        veto = {"vetoed_at": START.isoformat()}
        for side in ("first", "second"):
            kind = dice.choice(("user_id", "email", "anonymous_id"))
            veto |= {f"{side}_type": kind, f"{side}_value": dice.choice(pool[kind])}
        rows.append((dice.randrange(len(NIGHTS)), "identity_vetoes", veto))
    return rows


# ---------- the nights


def land(landing: Path, night: int, rows: list[tuple[str, dict]]) -> None:
    by_dataset = defaultdict(list)
    for dataset, row in rows:
        by_dataset[dataset].append(row)
    for dataset, records in by_dataset.items():
        path = landing / dataset / f"night-{night}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))


def table(connection, name: str) -> list[dict]:
    result = connection.execute(f"select * from intermediate.{name}")
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def landed_rows(connection, nights: list, as_of: dt.datetime) -> Reference:
    """The reference over all rows that have landed and whose time is come."""
    files = connection.execute("select path, file_seq from raw._files").fetchall()
    file_of = {"/".join(Path(path).parts[-2:]): number for path, number in files}
    rows, vetoes = [], []
    for night, landed in enumerate(nights):
        numbers = Counter()
        for dataset, row in landed:
            numbers[dataset] += 1
            place = (file_of[f"{dataset}/night-{night}.jsonl"], numbers[dataset])
            if dataset == "identity_vetoes":
                sides = ("first", "second")
                vetoes.append([(row[f"{s}_type"], row[f"{s}_value"]) for s in sides])
                continue
            moment = dt.datetime.fromisoformat(row.get("occurred_at") or row["created_at"])
            if moment < as_of:
                found = {kind: row[kind] for kind in TYPES if kind in row}
                rows.append((place, moment, found))
    return Reference(rows, vetoes, *VARS.values())


def check(settings: Settings, nights: list) -> Reference:
    """Compare the tables with brute force; returns what it found."""
    with connect(settings.warehouse, read_only=True) as connection:
        (as_of,) = connection.execute("select as_of from ops.clock").fetchone()
        expected = landed_rows(connection, nights, as_of)
        identifiers = table(connection, "int_identity__identifiers")
        edges = connection.execute(
            "select s.identifier_type, s.identifier_value, t.identifier_type, t.identifier_value,"
            " e.evidence_count from intermediate.int_identity__edges as e"
            " join intermediate.int_identity__nodes as s on s.node = e.source_node"
            " join intermediate.int_identity__nodes as t on t.node = e.target_node"
        ).fetchall()
        stints = table(connection, "int_identity__stints")
    assert {((a, b), (c, d)): count for a, b, c, d, count in edges} == expected.count
    found = {(r["identifier_type"], r["identifier_value"]): r for r in identifiers}
    assert found.keys() == expected.order.keys()
    unlinked = {node: r["unlinked_reason"] for node, r in found.items() if r["unlinked_reason"]}
    assert unlinked == expected.unlinked
    key = {
        node: hashlib.md5(f"{node[0]}|.|{row['identifier_hash']}".encode()).hexdigest()
        for node, row in found.items()
    }
    actual = {node: row["user_key"] for node, row in found.items()}
    assert actual == {node: key[person] for node, person in expected.person.items()}
    check_stints(expected, key, stints)
    return expected


def check_stints(expected: Reference, key: dict, stints: list[dict]) -> None:
    """At every moment, a device of several people is the one's whose login is nearest."""
    found = defaultdict(list)
    for stint in stints:
        found[stint["identifier_type"], stint["identifier_value"]].append(stint)
    for device, logins in expected.logins.items():
        if expected.unlinked.get(device) != "shared device" and device not in expected.cut:
            assert device not in found
            continue
        people = [(moment, key[expected.login_person(who)]) for moment, who in logins]
        if len({person for _, person in people}) == 1:
            assert device not in found
            continue
        for moment in sorted(START + dt.timedelta(hours=hour + 0.04) for hour in range(0, 960, 7)):
            distances = sorted((abs(moment - at), person) for at, person in people)
            nearest = {person for far, person in distances if far == distances[0][0]}
            holds = [
                stint["user_key"]
                for stint in found[device]
                if (stint["started_at"] is None or moment >= stint["started_at"])
                and (stint["ended_at"] is None or moment < stint["ended_at"])
            ]
            assert len(holds) == 1, (device, moment)
            # Between two logins at one moment nobody is nearer.
            assert holds[0] in nearest, (device, moment)


@pytest.mark.parametrize("seed", [1])
def test_each_night_finds_the_people_that_brute_force_finds(tmp_path, seed):
    dice = random.Random(seed)
    nights: list[list[tuple[str, dict]]] = [[] for _ in NIGHTS]
    for number in range(WORLDS):
        for night, dataset, row in world(f"w{number:03}", dice):
            nights[night].append((dataset, row))
    settings = Settings.resolve(tmp_path / "data", tmp_path / "landing")
    settings.landing.mkdir(parents=True)
    (settings.landing / "vars.yml").write_text(json.dumps(VARS))
    seen = []
    for night, day in enumerate(NIGHTS):
        land(settings.landing, night, nights[night])
        resolve(settings, day, full_refresh=night == 0)
        seen.append(check(settings, nights[: night + 1]))
    again = Settings.resolve(tmp_path / "again", settings.landing)
    shutil.copytree(settings.data, again.data)
    resolve(again, NIGHTS[-1], full_refresh=True)
    check(again, nights)
    # Links were lost, devices became shared and were freed again, and people were cut.
    lost = sum(not set(a.links) <= set(b.links) for a, b in itertools.pairwise(seen))
    shared = [{n for n, why in one.unlinked.items() if why == "shared device"} for one in seen]
    assert lost == len(NIGHTS) - 1
    assert any(before - after for before, after in itertools.pairwise(shared))
    assert set(seen[-1].unlinked.values()) == {"too many people", "shared mailbox", "shared device"}
    assert len(seen[-1].cut) > 20


# ---------- a simulated shop, whose truth is known


def test_people_of_a_simulated_shop_are_found(tmp_path):
    found = identity_accuracy.measure(identity_accuracy.run(tmp_path, 800, 45, 3, "default"))
    precision, recall, events = found["ours"]
    assert precision >= 0.995
    assert recall >= 0.97
    # Better than the last user id, by far.
    assert recall > found["last user id"][1] + 0.05
    assert events > found["last user id"][2]


# ---------- cases by hand

MINUTE = dt.timedelta(minutes=1)
NOON = START + dt.timedelta(hours=12)
MARTS = ("+int_events__deduplicated", "user_identities", "identity_merges")


def event(name: str, at: dt.datetime, **identifiers: str) -> tuple[str, dict]:
    row = {"event_id": name, "event_name": "page_viewed", "occurred_at": at.isoformat()}
    return "events", row | identifiers


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """An installation, and a function that lands rows, builds a night and reads tables."""
    folder = tmp_path_factory.mktemp("case")
    settings = Settings.resolve(folder / "data", folder / "landing")
    nights = itertools.count()

    def night(rows):
        number = next(nights)
        land(settings.landing, number, rows)
        resolve(settings, number + 5, full_refresh=number == 0, more=MARTS)
        with connect(settings.warehouse, read_only=True) as connection:
            identifiers = connection.execute(
                "select identifier_type, identifier_value, user_key, unlinked_reason"
                " from intermediate.int_identity__identifiers"
            ).fetchall()
            events = connection.execute(
                "select event_id, user_key from intermediate.int_events__deduplicated"
            ).fetchall()
            merges = connection.execute("from marts.identity_merges order by all").fetchdf()
            validity = connection.execute(
                "select user_key, identifier_type, valid_from, valid_to from marts.user_identities"
            ).fetchall()
        person = {(kind, value): key for kind, value, key, _ in identifiers}
        why = {(kind, value): reason for kind, value, _, reason in identifiers}
        return person, why, dict(events), merges, validity

    return settings, night


def test_bad_input_connects_nobody(case):
    _, night = case
    rows = []
    # One browser with 5,000 logins, and a visit just after one of them.
    for n in range(5000):
        rows.append(event(f"k{n}", START + n * MINUTE, anonymous_id="kiosk", user_id=f"K{n}"))
    rows.append(event("after-k7", START + 7.2 * MINUTE, anonymous_id="kiosk"))
    rows.append(event("before-k9", START + 8.8 * MINUTE, anonymous_id="kiosk"))
    # Two accounts on one device within a minute, which is otherwise the first one's.
    for n in range(3):
        rows.append(event(f"d{n}", NOON - n * 60 * MINUTE, anonymous_id="tablet", user_id="ann"))
    rows.append(event("d9", NOON + 0.9 * MINUTE, anonymous_id="tablet", user_id="bob"))
    rows.append(event("near-ann", NOON + 0.4 * MINUTE, anonymous_id="tablet"))
    rows.append(event("near-bob", NOON + 0.5 * MINUTE, anonymous_id="tablet"))
    rows.append(event("day-after", NOON + 1440 * MINUTE, anonymous_id="tablet"))
    nothing = ("null", "undefined", "test@test.com", " NULL ", "Test@Test.com", "", "(not set)")
    for n, value in enumerate(nothing):
        rows.append(event(f"n{n}", NOON, email=value, user_id=f"nobody{n}"))
        rows.append(event(f"m{n}", NOON, user_id=value, anonymous_id=f"lost{n}"))
    spellings = ("Jo@Shop.example", " jo@shop.example ", "JO@SHOP.EXAMPLE", "jo+news@shop.example")
    for n, value in enumerate(spellings):
        rows.append(event(f"j{n}", NOON, email=value, anonymous_id=f"jo{n}"))
    for n in range(3):
        rows.append(event(f"i{n}", NOON, email="info@shop.example", user_id=f"clerk{n}"))
    for n in range(12):
        rows.append(event(f"c{n}", NOON, phone="+43 1 555", user_id=f"caller{n}"))
    rows.append(event("e1", NOON, user_id="eve", email="eve@shop.example"))
    rows.append(event("f1", NOON, user_id="fay", email="fay@shop.example"))
    person, why, events, merges, validity = night(rows)
    assert len({person["user_id", f"K{n}"] for n in range(5000)}) == 5000
    assert why["anonymous_id", "kiosk"] == "shared device"
    assert events["after-k7"] == person["user_id", "K7"]
    assert events["before-k9"] == person["user_id", "K9"]
    ann, bob = person["user_id", "ann"], person["user_id", "bob"]
    assert ann != bob
    assert person["anonymous_id", "tablet"] == ann
    assert [events[name] for name in ("near-ann", "near-bob", "day-after")] == [ann, bob, bob]
    people = {person["user_id", f"nobody{n}"] for n in range(len(nothing))}
    people |= {person["anonymous_id", f"lost{n}"] for n in range(len(nothing))}
    assert len(people) == 2 * len(nothing)
    assert not {value for kind, value in person if kind == "email"} & set(nothing)
    assert len({person["anonymous_id", f"jo{n}"] for n in range(len(spellings))}) == 1
    assert ("email", "jo@shop.example") in person
    assert why["email", "info@shop.example"] == "shared mailbox"
    assert len({person["user_id", f"clerk{n}"] for n in range(3)}) == 3
    assert why["phone", "431555"] == "too many people"
    assert len({person["user_id", f"caller{n}"] for n in range(12)}) == 12
    assert len(merges) == 0
    handover = NOON + 0.45 * MINUTE
    assert (ann, "anonymous_id", NOON - 120 * MINUTE, handover) in validity
    assert (bob, "anonymous_id", handover, None) in validity


def test_a_merge_is_recorded_explained_and_undone_for_good(case, capsys):
    settings, night = case
    before = night([])[0]
    eve, fay = before["user_id", "eve"], before["user_id", "fay"]
    rows = [
        event(f"x{n}", NOON + n * MINUTE, email="eve@shop.example", user_id="fay") for n in range(2)
    ]
    person, _, _, merges, validity = night(rows)
    assert eve != fay
    # The one loaded first survives.
    assert {person["user_id", name] for name in ("eve", "fay")} == {eve}
    (merge,) = merges.to_dict("records")
    assert (merge["old_user_key"], merge["new_user_key"], merge["kind"]) == (fay, eve, "merge")
    assert (merge["evidence"], merge["evidence_count"]) == ("user_id and email", 2)
    assert merge["identifiers_count"] == 2
    at = merge["changed_at"].to_pydatetime()
    assert (fay, "user_id", NOON, at) in validity
    assert (eve, "user_id", at, None) in validity
    identity.explain(settings, "fay", "eve")
    said = capsys.readouterr().out
    assert "one person" in said
    assert "eve@" not in said
    assert said.count("user_id") == 4

    identity.split(settings, "user_id:fay", "eve", "sisters")
    person, _, _, merges, _ = night(rows)
    # The link that was seen most stays: the address is fay's now.
    assert person["user_id", "fay"] != person["user_id", "eve"] == eve
    assert person["email", "eve@shop.example"] == person["user_id", "fay"]
    assert {(m.kind, m.reason) for m in merges.itertuples()} == {
        ("merge", "seen together"),
        ("split", "veto"),
    }
    identity.explain(settings, "fay", "eve")
    assert "a veto says" in capsys.readouterr().out
    # Whatever comes after.
    more = [event(f"y{n}", NOON, anonymous_id="y", user_id=u) for n, u in enumerate(("fay", "eve"))]
    person = night([*more, event("y9", NOON, email="fay@shop.example", user_id="eve")])[0]
    assert person["user_id", "fay"] != person["user_id", "eve"]


def test_what_is_not_known_or_not_clear_is_told(case):
    settings, _ = case
    with pytest.raises(UsageError, match="is known"):
        identity.explain(settings, "nobody-at-all", "eve")
    with pytest.raises(UsageError, match="from itself"):
        identity.split(settings, "eve", "user_id:eve")
    with pytest.raises(ApportionError, match="no warehouse"):
        identity.explain(Settings.resolve(settings.data / "none", settings.landing), "a", "b")
