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

import pytest

from apportion import built, load, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

START = dt.datetime(2026, 1, 1)
NIGHTS = (10, 11, 25, 40)
WORLDS = 150
TYPES = ("user_id", "email", "phone", "contact_id", "anonymous_id", "device_id", "click_id")
PEOPLE = TYPES[:4]
DEVICES = TYPES[4:6]
VARS = {"max_people_per_identifier": 2, "max_identifiers_per_user": 6}

Identifier = tuple[str, str]


# ---------- the worlds


def world(name: str, dice: random.Random) -> list[tuple[int, str, dict]]:
    """The rows of one world, as (night, data set, row)."""
    pool = {
        "user_id": [f"{name}-u{n}" for n in range(dice.randint(1, 4))],
        "email": [f"{name}-{n}@mail.example" for n in range(dice.randint(1, 4))],
        "phone": [f"{name[1:]}555{n}" for n in range(2)],
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


# ---------- brute force


class Groups:
    """Disjoint sets."""

    def __init__(self, items):
        self.of = {item: {item} for item in items}

    def join(self, one, other):
        if self.of[one] is not self.of[other]:
            self.of[one] |= self.of[other]
            for item in self.of[other]:
                self.of[item] = self.of[one]


class Reference:
    """Who is who, from rows of (place, moment, identifiers), by the rules as they are written."""

    def __init__(self, rows, vetoes):
        self.order: dict[Identifier, tuple] = {}
        self.count: Counter = Counter()
        self.logins = defaultdict(set)
        for place, moment, found in rows:
            for kind, value in found.items():
                node = (kind, value)
                mine = (*place, TYPES.index(kind))
                self.order[node] = min(self.order.get(node, mine), mine)
            for pair in itertools.combinations(sorted(found.items(), key=_rank), 2):
                self.count[pair] += 1
            people = {kind: value for kind, value in found.items() if kind in PEOPLE}
            for kind in DEVICES:
                if kind in found and people:
                    self.logins[kind, found[kind]].add((moment, tuple(sorted(people.items()))))
        self.neighbours = defaultdict(set)
        for one, other in self.count:
            self.neighbours[one].add(other)
            self.neighbours[other].add(one)
        known = (frozenset(pair) for pair in vetoes if set(pair) <= self.order.keys())
        self.vetoes = {pair for pair in known if len(pair) == 2}
        self.unlinked = {node: "too many people" for node in self.order if self.crowded(node)}
        for node in self.order:
            if node[0] == "email" and node[1].startswith("info@"):
                self.unlinked[node] = "shared mailbox"
        known = Groups(node for node in self.order if node[0] in PEOPLE)
        for one, other in self.count:
            if {one[0], other[0]} <= set(PEOPLE) and not {one, other} & self.unlinked.keys():
                known.join(one, other)
        shared = [node for node in self.order if node[0] in DEVICES and self.shared(node, known)]
        self.unlinked |= {node: "shared device" for node in shared}
        self.links = [pair for pair in self.count if not set(pair) & self.unlinked.keys()]
        whole = Groups(self.order)
        for pair in self.links:
            whole.join(*pair)
        self.part, self.cut = dict(whole.of), set()
        for group in {id(group): group for group in whole.of.values()}.values():
            if not self.allowed(group):
                self.cut |= group
                self.part |= self.kruskal(group)
        self.person = {node: min(self.part[node], key=self.order.get) for node in self.order}
        for node in self.unlinked:
            if node[0] not in PEOPLE:
                self.person[node] = self.owner(node)

    def crowded(self, node):
        kinds = Counter(kind for kind, _ in self.neighbours[node])
        if node[0] == "click_id":
            return max(kinds.values(), default=0) > 1
        people = max((kinds[kind] for kind in PEOPLE), default=0)
        return node[0] in PEOPLE and people > VARS["max_people_per_identifier"]

    def shared(self, device, known):
        people = [n for n in self.neighbours[device] if n[0] in PEOPLE and n not in self.unlinked]
        groups = {id(known.of[node]): known.of[node] for node in people}
        kinds = Counter(kind for group in groups.values() for kind in {kind for kind, _ in group})
        return max(kinds.values(), default=0) > 1

    def allowed(self, group):
        counted = sum(kind != "click_id" for kind, _ in group)
        vetoed = any(veto <= group for veto in self.vetoes)
        return counted <= VARS["max_identifiers_per_user"] and not vetoed

    def kruskal(self, group):
        """Links from the strongest to the weakest, as long as what they join is allowed."""
        parts = Groups(group)

        def strength(pair):
            orders = sorted(self.order[node] for node in pair)
            return (pair[1][0] not in PEOPLE, -self.count[pair], orders)

        for one, other in sorted((p for p in self.links if set(p) <= group), key=strength):
            if self.allowed(parts.of[one] | parts.of[other]):
                parts.join(one, other)
        return parts.of

    def owner(self, node):
        evidence = Counter()
        for pair, count in self.count.items():
            if pair[1] == node and pair[0] not in self.unlinked:
                evidence[self.person[pair[0]]] += count
        if not evidence:
            return node
        return min(evidence, key=lambda person: (-evidence[person], self.order[person]))

    def login_person(self, people):
        """The person of a login: by its strongest identifier, those of many people last."""
        nodes = sorted(people, key=_rank)
        return self.person[([n for n in nodes if n not in self.unlinked] or nodes)[0]]


def _rank(item: Identifier) -> int:
    return TYPES.index(item[0])


# ---------- the nights


def land(landing: Path, night: int, rows: list[tuple[str, dict]]) -> None:
    by_dataset = defaultdict(list)
    for dataset, row in rows:
        by_dataset[dataset].append(row)
    for dataset, records in by_dataset.items():
        path = landing / dataset / f"night-{night}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))


def resolve(settings: Settings, day: int, *, full_refresh: bool = False) -> None:
    """Load one night, build identity alone, and keep what the next night compares with."""
    load.load(Night(settings, date=(START + dt.timedelta(days=day)).date()))
    with connect(settings.warehouse) as connection:
        built.prepare(connection)
    models = ["identity_placeholders", "path:models/staging/landing", "int_nights__changed_files"]
    arguments = ["build", "--select", *models, "path:models/intermediate/identity"]
    arguments += ["--exclude-resource-type", "unit_test", "--indirect-selection", "cautious"]
    result = transform.invoke(
        settings, arguments + ["--full-refresh"] * full_refresh, quiet=True
    )
    assert result.success, [
        (node.node.name, node.message)
        for node in getattr(result.result, "results", None) or ()
        if node.status in ("error", "fail")
    ] or result.exception
    with connect(settings.warehouse) as connection:
        built.remember_people(connection)


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
    return Reference(rows, vetoes)


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
