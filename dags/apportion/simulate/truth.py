"""What only a simulation can tell: who is who, what touches brought, what is damaged where."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from apportion.simulate import hazard
from apportion.simulate.crm import contact_id
from apportion.simulate.defects import Landed
from apportion.simulate.events import Events
from apportion.simulate.history import History, order_keys
from apportion.simulate.orders import PLACED_IN, WEB, is_counted, net_revenue, take
from apportion.simulate.people import NEVER
from apportion.simulate.shop import EXPERIMENTS, GROUPS, PLACES, SEGMENTS

IDENTIFIER_TYPES = ("user_id", "email", "phone", "contact_id", "anonymous_id")


_PEOPLE = np.int64(1) << 30


def person_name(person: int) -> str:
    """How truth names a person."""
    return f"P{person:07d}"


def write_table(path: Path, columns: dict[str, object]) -> None:
    """Write a Parquet file, the same bytes for the same columns."""
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values)
        for name, values in columns.items()
    }
    pq.write_table(pa.table(arrays), path, compression="zstd")


def people(history: History) -> dict[str, object]:
    """One row per person."""
    everybody, start = history.people, np.datetime64(history.calendar.start, "us")
    known = {
        "arrived_at": everybody.arrives_at,
        "account_since": np.maximum(history.account_since, -1),
        "email_known_since": np.maximum(history.known_since, -1),
    }
    columns: dict[str, object] = {
        "person": [person_name(number) for number in range(len(everybody))],
        "segment": [SEGMENTS[number].name for number in everybody.segment.tolist()],
        "country": [PLACES[number].country for number in everybody.place.tolist()],
    }
    for name, time in known.items():
        moment = start + np.minimum(time, history.end).astype("timedelta64[ms]").astype(
            "timedelta64[us]"
        )
        columns[name] = pa.array(moment, mask=time >= NEVER)
    for number, experiment in enumerate(EXPERIMENTS):
        name = f"is_held_out_of_{experiment.removeprefix('exp-').replace('-', '_')}"
        columns[name] = everybody.is_held_out[:, number]
    return columns


def identities(
    history: History, landed: Landed, wrong_emails: dict[int, str], crm_users: set[int]
) -> dict[str, object]:
    """One row per identifier and person who used it, in canonical form.

    Args:
        history: what happened.
        landed: the rows of the event files.
        wrong_emails: misspelt address of each person whose CRM record has one.
        crm_users: people whose CRM record has their user_id.
    """
    everybody, told = history.people, history.events
    links = _Links()
    is_good = np.zeros(len(told), bool)
    is_good[landed.event[~landed.is_quarantined]] = True
    flags = told.has_user * 1 + told.has_email * 2 + told.has_phone * 4 + is_good * 8
    is_human = told.person >= 0
    seen = np.unique((_pairs(told) * 16 + flags)[is_human])
    pairs, flags = np.divmod(seen, 16)
    for person, anonymous, flag in zip(
        (pairs % _PEOPLE - 1).tolist(),
        (pairs // _PEOPLE - 1).tolist(),
        flags.tolist(),
        strict=True,
    ):
        found = [("anonymous_id", anonymous)] if anonymous >= 0 else []
        found += [(kind, -1) for bit, kind in enumerate(IDENTIFIER_TYPES[:3]) if flag >> bit & 1]
        links.together(person, found, flag >= 8)
    for person, anonymous, logs_in, web in zip(
        history.order_person.tolist(),
        history.order_anonymous.tolist(),
        history.logs_in.tolist(),
        (take(history.baskets, history.made).placed_in == WEB).tolist(),
        strict=True,
    ):
        if web:
            found = [("email", -1), ("anonymous_id", anonymous)]
            links.together(person, [*found, ("user_id", -1)] if logs_in else found)
        else:
            for kind in ("user_id", "phone", "email"):
                links.together(person, [(kind, -1)])
    for person in np.flatnonzero(history.known_since < NEVER).tolist():
        links.together(person, _crm_record(history, person, wrong_emails, crm_users))
    for person in np.flatnonzero(history.met_at < NEVER).tolist():
        found = []
        if history.met_anonymous[person] >= 0:
            found.append(("anonymous_id", int(history.met_anonymous[person])))
        if history.account_since[person] < history.met_at[person]:
            found.append(("user_id", -1))
        links.together(person, found)

    rows = sorted(links.parent)
    texts = everybody.anonymous_id_text(np.arange(len(everybody.id_device) + history.bots))
    users: dict[int, int] = {}
    for _, kind, number in rows:
        if kind == "anonymous_id":
            users[number] = users.get(number, 0) + 1
    numbers = {root: n for n, root in enumerate(sorted({links.root(row) for row in rows}))}
    values = {
        "user_id": everybody.user_id,
        "email": everybody.email,
        "phone": everybody.phone,
        "contact_id": contact_id,
    }
    columns: dict[str, list[object]] = {
        name: []
        for name in ("identifier_type", "identifier_value", "person", "component", "is_owner",
                     "is_shared", "is_misspelt", "is_bot")
    }  # fmt: skip

    def add(*row: object) -> None:
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value)

    for row in rows:
        person, kind, number = row
        if kind == "anonymous_id":
            owner = everybody.device_owner[everybody.id_device[number]] == person
            text, is_owner, is_shared = texts[number], bool(owner), users[number] > 1
        else:
            wrong = kind == "email" and number == 0
            text = wrong_emails[person] if wrong else values[kind](person)
            is_owner, is_shared = True, False
        is_misspelt = kind == "email" and number == 0
        add(kind, text, person_name(person), numbers[links.root(row)], is_owner, is_shared,
            is_misspelt, False)  # fmt: skip
    robots = set(told.anonymous[told.person < 0].tolist())
    for number in sorted(robots):
        component = len(numbers) + number - len(everybody.id_device)
        add("anonymous_id", texts[number], None, component, True, False, False, True)
    return columns


def _crm_record(
    history: History, person: int, wrong_emails: dict[int, str], crm_users: set[int]
) -> list[tuple[str, int]]:
    """Identifiers of a CRM record; the e-mail numbered 0 is the misspelt one."""
    found = [("contact_id", -1), ("email", 0 if person in wrong_emails else -1)]
    if history.people.has_phone[person]:
        found.append(("phone", -1))
    if person in crm_users:
        found.append(("user_id", -1))
    return found


def _pairs(told: Events) -> np.ndarray:
    """The anonymous id and the person of each event as one number."""
    return (told.anonymous.astype(np.int64) + 1) * _PEOPLE + told.person + 1


class _Links:
    """Identifiers (person, type, number) and which of them some landed row shows together."""

    def __init__(self) -> None:
        self.parent: dict[tuple[int, str, int], tuple[int, str, int]] = {}

    def root(self, row: tuple[int, str, int]) -> tuple[int, str, int]:
        """The identifier that stands for all that are connected with this one."""
        while self.parent[row] != row:
            self.parent[row] = self.parent[self.parent[row]]
            row = self.parent[row]
        return row

    def together(self, person: int, found: list[tuple[str, int]], links: bool = True) -> None:
        """Know of identifiers of a person; where the row can be loaded, they are connected."""
        rows = [(person, kind, number) for kind, number in found]
        for row in rows:
            self.parent.setdefault(row, row)
        if links:
            for row in rows[1:]:
                low, high = sorted((self.root(rows[0]), self.root(row)))
                self.parent[high] = low


def shared_events(history: History, event_ids: pa.Array) -> dict[str, object]:
    """Who was at a device that several people use: one row per event of it."""
    told = history.events
    pairs = np.unique(_pairs(told)[told.anonymous >= 0])
    anonymous, uses = np.unique(pairs // _PEOPLE - 1, return_counts=True)
    rows = np.flatnonzero(np.isin(told.anonymous, anonymous[uses > 1]))
    return {
        "event_id": event_ids.take(pa.array(rows)),
        "person": [person_name(person) for person in told.person[rows].tolist()],
    }


def conversions(history: History, ids: list[str]) -> dict[str, object]:
    """One row per order that was made, wherever, with what the hazard knew of it.

    Args:
        history: what happened.
        ids: id of each order.
    """
    placed, basket = take(history.placements, history.made), take(history.baskets, history.made)
    real = history.outcome.orders[0]
    by_key = np.argsort(order_keys(history.calendar, real.person, real.step))
    row = by_key[np.argsort(np.argsort(history.made))]
    is_web = basket.placed_in == WEB
    start = np.datetime64(history.calendar.start, "us")
    chance, baseline = real.chance[row].astype(np.float64), real.baseline[row].astype(np.float64)
    return {
        "conversion_id": [
            order if web else f"X{order[1:]}"
            for order, web in zip(ids, is_web.tolist(), strict=True)
        ],
        "placed_in": [PLACED_IN[number] for number in basket.placed_in.tolist()],
        "person": [person_name(person) for person in history.order_person.tolist()],
        "segment": [
            SEGMENTS[number].name
            for number in history.people.segment[history.order_person].tolist()
        ],
        "converted_at": start
        + placed.ordered_at.astype("timedelta64[ms]").astype("timedelta64[us]"),
        "revenue": net_revenue(basket, placed.ordered_at, history.rates),
        "is_counted": is_counted(basket, placed.ordered_at, history.end),
        "chance": chance,
        "baseline_chance": baseline,
        "incremental_share": np.where(chance > 0, 1 - baseline / chance, 0.0),
    }


def incremental(history: History) -> dict[str, object]:
    """What would be missing without some touches: per scenario and segment, and over all segments.

    Realised: orders that are counted and their revenue in USD. Expected: sums of the probabilities.
    """
    placed, basket = history.placements, history.baskets
    counted = is_counted(basket, placed.ordered_at, history.end)
    revenue = net_revenue(basket, placed.ordered_at, history.rates)
    segment = history.people.segment
    realised = []
    for orders in history.outcome.orders:
        row = history.keys(orders.person, orders.step)
        kind = segment[orders.person]
        size = len(SEGMENTS)
        realised.append(
            (
                np.bincount(kind, counted[row].astype(float), size),
                np.bincount(kind, revenue[row], size),
            )
        )
    columns: dict[str, list[object]] = {
        name: []
        for name in ("dimension", "value", "segment", "conversions_with", "conversions_without",
                     "incremental_conversions", "revenue_with", "revenue_without",
                     "incremental_revenue", "expected_with", "expected_without",
                     "expected_incremental")
    }  # fmt: skip

    def add(dimension: str, value: str, name: str, number: int, of: slice | int) -> None:
        real = [float(np.sum(part[of])) for part in realised[0]]
        without = [float(np.sum(part[of])) for part in realised[number]]
        likely = [float(np.sum(history.outcome.expected[row, of])) for row in (0, number)]
        values = (
            dimension, value, name, int(real[0]), int(without[0]), int(real[0] - without[0]),
            round(real[1], 4), round(without[1], 4), round(real[1] - without[1], 4),
            likely[0], likely[1], likely[0] - likely[1],
        )  # fmt: skip
        for column, item in zip(columns.values(), values, strict=True):
            column.append(item)

    for number, scenario in enumerate(history.scenarios):
        if not number:
            continue
        add(scenario.dimension, scenario.value, "all", number, slice(None))
        for column, kind in enumerate(SEGMENTS):
            add(scenario.dimension, scenario.value, kind.name, number, column)
        if scenario.dimension == "total":
            for column, kind in enumerate(SEGMENTS):
                add("segment", kind.name, kind.name, number, column)
    return columns


def effects(history: History, call: dict[str, object]) -> str:
    """The parameters of the world as JSON.

    Args:
        history: what happened.
        call: version and arguments of the call.
    """
    table = hazard.effects(history.world)
    return json.dumps(
        {
            **call,
            "parameters": asdict(history.world),
            "exposure": {"seen": hazard.SEEN, "clicked": hazard.CLICKED},
            "wanting_factor": 1 + hazard.WANTING,
            "effects": [
                {
                    "channel": channel,
                    "tactic": tactic,
                    **{
                        kind.name: round(table[row, column], 6)
                        for column, kind in enumerate(SEGMENTS)
                    },
                }
                for row, (channel, tactic) in enumerate(GROUPS)
            ],
            "segments": [asdict(kind) for kind in SEGMENTS],
            "experiments": EXPERIMENTS,
            "events": len(history.events),
            "orders": len(history.made),
        },
        indent=1,
    )


def defect_rows(rows: Iterable[dict[str, object]]) -> dict[str, object]:
    """The table of the planted defects."""
    names = ("kind", "outcome", "dataset", "file", "line", "record_id", "detail")
    found = list(rows)
    types = {"line": pa.int64()}
    return {
        name: pa.array([row.get(name) for row in found], types.get(name, pa.string()))
        for name in names
    }
