"""Identity, sessions, contacts and journeys against brute force in Python on a random world.

Each step is recomputed from the table before it, so that a difference names its step. Times lie on
a coarse grid with exact boundaries (30 minutes, 30 days) and ties on purpose.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections import defaultdict

import pytest
from identity_reference import Reference

from apportion import load, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

START = dt.datetime(2026, 1, 1)
MINUTE = dt.timedelta(minutes=1)
LOOKBACK = dt.timedelta(days=30)
PLACEHOLDERS = ["null", "Undefined", " "]
BROWSING = ["page_viewed", "product_viewed", "added_to_cart"]
MESSAGES = ["email_sent", "email_opened", "email_clicked", "ad_impression", "ad_click"]


def random_rows(seed: int) -> dict[str, list[dict]]:
    """A world of about 1,500 events and 150 orders of 40 people, the same for a seed."""
    dice = random.Random(seed)
    people = [
        {
            "devices": [f"device-{person}-{number}" for number in range(dice.randint(1, 3))],
            "user_id": f"user-{person}",
            "email": f"Person{person}@Shop.example ",
        }
        for person in range(40)
    ]
    # One shared e-mail: they become one person, by the rule. One browser makes nobody one.
    people[1]["devices"].append(people[0]["devices"][0])
    people[3]["email"] = people[2]["email"].upper()

    def moment() -> str:
        day = dice.choice([0, 1, 2, 30, 31, 45, 60, 61, 75])
        return (START + dt.timedelta(days=day) + dice.randrange(0, 40) * 10 * MINUTE).isoformat()

    events = []
    for number in range(1500):
        person = dice.choice(people)
        event = {"event_id": f"e{number}", "occurred_at": moment()}
        if dice.random() < 0.6:
            event |= {
                "event_name": dice.choice(BROWSING),
                "anonymous_id": dice.choice(person["devices"]),
                "page_url": "https://shop.example/p?email=secret@shop.example",
            }
            if dice.random() < 0.3:
                event |= {
                    "utm_source": "newsletter",
                    "utm_medium": "email",
                    "utm_campaign": dice.choice(["spring", "summer"]),
                }
            if dice.random() < 0.1:
                event["session_id"] = dice.choice(["s1", "s2"])
            if dice.random() < 0.1:
                event["user_id"] = person["user_id"]
        elif dice.random() < 0.8:
            event |= {
                "event_name": dice.choice(MESSAGES),
                "email": person["email"],
                "campaign_id": dice.choice(["spring", "summer"]),
                "content_id": dice.choice(["shoes", "hats"]),
            }
        else:
            event |= {
                "event_name": "offer_sent",
                "channel": "direct_mail",
                "user_id": person["user_id"],
                "campaign_id": "mailing",
            }
        if dice.random() < 0.05:
            event["user_id"] = dice.choice(PLACEHOLDERS)
        if dice.random() < 0.05:
            event["email"] = person["email"]
        events.append(event)
    events += [dict(event) for event in dice.sample(events, 30)]
    orders = [
        {
            "order_id": f"o{number}",
            "ordered_at": moment(),
            "revenue": f"{dice.randrange(0, 10000) / 100:.2f}",
            "status": dice.choice(["paid", "paid", "paid", "cancelled"]),
            **dice.choice(
                [{"user_id": p["user_id"]} for p in people] + [{"email": "new@shop.example"}]
            ),
        }
        for number in range(150)
    ]
    campaigns = [
        {
            "campaign_id": "mailing",
            "channel": "direct_mail",
            "tactic": "personalized_offer",
            "is_personalized": True,
            "eligible_until": (START + dt.timedelta(days=61)).isoformat(),
        }
    ]
    return {"events": events, "orders": orders, "campaigns": campaigns}


@pytest.fixture(scope="module", params=["since_last_conversion", "full_lookback"])
def world(request, tmp_path_factory):
    """A warehouse built up to the journeys, and the rows that went in."""
    folder = tmp_path_factory.mktemp("world")
    rows = random_rows(seed=len(request.param))
    for dataset, records in rows.items():
        path = folder / "landing" / dataset / "rows.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    boundary = {"conversion_settings": {"order": {"journey_boundary": request.param}}}
    (folder / "landing" / "vars.yml").write_text(json.dumps(boundary))
    night = Night(Settings.resolve(folder / "data", folder / "landing"))
    load.load(night)
    transform.build(night, "staging")
    transform.build(night, "intermediate")
    with connect(night.settings.warehouse, read_only=True) as connection:

        def table(name: str) -> list[dict]:
            result = connection.execute(f"select * from intermediate.{name}")
            names = [column[0] for column in result.description]
            return [dict(zip(names, values, strict=True)) for values in result.fetchall()]

        yield rows, table


def canonical(kind: str, value: str | None) -> str | None:
    """The canonical form of an identifier, or None where it identifies nobody."""
    value = (value or "").strip()
    if kind == "email":
        value = value.lower()
    return None if value.lower() in ("", "null", "undefined") else value


def test_people_are_those_of_brute_force(world):
    rows, table = world
    # Files load in the order of their paths.
    landed = [
        ((file_number, row_number), None, found)
        for file_number, dataset in enumerate(["events", "orders"])
        for row_number, row in enumerate(rows[dataset])
        if (
            found := {
                kind: value
                for kind in ("user_id", "email", "anonymous_id")
                if (value := canonical(kind, row.get(kind))) is not None
            }
        )
    ]
    expected = Reference(landed)
    found = {
        (row["identifier_type"], row["identifier_value"]): row
        for row in table("int_identity__identifiers")
    }
    assert found.keys() == expected.order.keys()
    for node, row in found.items():
        kind, value = expected.person[node]
        named_after = f"{kind}|.|{found[kind, value]['identifier_hash']}"
        assert row["user_key"] == hashlib.md5(named_after.encode()).hexdigest()


def test_copies_of_an_event_are_one(world):
    rows, table = world
    counts = defaultdict(int)
    for event in rows["events"]:
        counts[event["event_id"]] += 1
    actual = {r["event_id"]: r["duplicates_count"] + 1 for r in table("int_events__deduplicated")}
    assert actual == counts


def test_no_identifier_is_left_in_clear_text_past_identity(world):
    _, table = world
    events = table("int_events__deduplicated")
    text = json.dumps(events, default=str)
    for forbidden in ("@", "user-1", "device-1", "secret"):
        assert forbidden not in text


def test_sessions_equal_a_walk_over_the_events(world):
    _, table = world
    visits = defaultdict(list)
    for event in table("int_events__classified"):
        if event["event_name"] in BROWSING:
            visits[event["user_key"], event["device_key"], event["source_session_id"]].append(event)
    expected = {}
    for (_, _, source_session), events in visits.items():
        events.sort(key=lambda event: (event["occurred_at"], event["event_id"]))
        last_at = first = campaign = None
        for event in events:
            begins = first is None
            if source_session is None and first is not None:
                begins = event["occurred_at"] - last_at > 30 * MINUTE or (
                    event["origin_source"] is not None and event["origin_campaign"] != campaign
                )
            if begins:
                first, campaign = event["event_id"], None
            if event["origin_source"] is not None:
                campaign = event["origin_campaign"]
            last_at = event["occurred_at"]
            expected[event["event_id"]] = first
    actual = {r["event_id"]: r["first_event_id"] for r in table("int_sessions__events")}
    assert actual == expected
    assert len(set(actual.values())) == len(table("int_sessions__sessionized"))


def test_contacts_equal_a_walk_over_the_touches(world):
    _, table = world
    strength = {"delivery": 1, "view": 2, "session": 3, "click": 4}
    lanes = defaultdict(list)
    for touch in table("int_touchpoints__candidates"):
        key = touch["campaign_id"] or ("channel", touch["channel"])
        lanes[touch["user_key"], touch["is_eligible"], key].append(touch)
    expected = []
    for lane in lanes.values():
        lane.sort(key=lambda touch: (touch["touched_at"], touch["candidate_id"]))
        by_content = defaultdict(list)
        for touch in lane:
            content = touch["content_id"]
            if content is None:
                # Of touches at one instant, each sees the others.
                near = [
                    (other["touched_at"], other["content_id"])
                    for other in lane
                    if other["content_id"] is not None
                    and touch["touched_at"] - 30 * MINUTE
                    <= other["touched_at"]
                    <= touch["touched_at"]
                ]
                if near:
                    _, content = max(near)
            by_content[content].append(touch)
        for touches in by_content.values():
            contacts = []
            for touch in touches:
                if contacts and touch["touched_at"] - contacts[-1][-1]["touched_at"] <= 30 * MINUTE:
                    contacts[-1].append(touch)
                else:
                    contacts.append([touch])
            for contact in contacts:
                strongest = max(contact, key=lambda touch: strength[touch["touch_type"]])
                expected.append(
                    (
                        contact[0]["user_key"],
                        contact[0]["touched_at"],
                        strongest["touch_type"],
                        len(contact),
                    )
                )
    actual = [
        (r["user_key"], r["touched_at"], r["touch_type"], r["collapsed_count"])
        for r in table("int_touchpoints__collapsed")
    ]
    assert sorted(actual) == sorted(expected)


def journey_pairs(table) -> set[tuple[str, str]]:
    """Every conversion x eligible touch before it, by comparing all with all."""
    touches = defaultdict(list)
    for touch in table("int_touchpoints__collapsed"):
        if touch["is_eligible"]:
            touches[touch["user_key"]].append(touch)
    history = defaultdict(list)
    for conversion in table("int_conversions__valued"):
        if conversion["user_key"]:
            history[conversion["user_key"], conversion["conversion_type"]].append(conversion)
    pairs = set()
    for conversions in history.values():
        conversions.sort(
            key=lambda conversion: (conversion["converted_at"], conversion["conversion_id"])
        )
        for number, conversion in enumerate(conversions):
            at = conversion["converted_at"]
            for touch in touches[conversion["user_key"]]:
                since = touch["touched_at"]
                in_time = since >= at - LOOKBACK or (
                    touch["eligible_until"] is not None and touch["eligible_until"] >= at
                )
                after_last = (
                    conversion["journey_boundary"] == "full_lookback"
                    or number == 0
                    or since > conversions[number - 1]["converted_at"]
                )
                if since <= at and in_time and after_last:
                    pairs.add((conversion["conversion_id"], touch["touchpoint_id"]))
    return pairs


def test_journeys_equal_comparing_every_touch_with_every_conversion(world):
    _, table = world
    expected = journey_pairs(table)
    rows = table("int_journeys__touchpoints")
    actual = {(r["conversion_id"], r["touchpoint_id"]) for r in rows if r["is_converted"]}
    assert len(expected) > 100
    assert actual == expected
    journeys = defaultdict(list)
    for row in rows:
        journeys[row["journey_id"]].append(row)
    for journey in journeys.values():
        ordered = sorted(journey, key=lambda row: (row["touched_at"], row["touchpoint_id"]))
        assert [row["touch_number"] for row in ordered] == list(range(1, len(journey) + 1))
        assert {row["touch_count"] for row in journey} == {len(journey)}


def test_touches_that_led_to_nothing_are_in_a_journey_without_conversion(world):
    _, table = world
    eligible = {
        r["touchpoint_id"]: r for r in table("int_touchpoints__collapsed") if r["is_eligible"]
    }
    followed = {touchpoint for _, touchpoint in journey_pairs(table)}
    runs = defaultdict(list)
    for name in sorted(
        eligible.keys() - followed, key=lambda name: (eligible[name]["touched_at"], name)
    ):
        touch = eligible[name]
        journeys = runs[touch["user_key"]]
        at = touch["touched_at"]
        if not journeys or at - journeys[-1]["last"] > LOOKBACK:
            journeys.append({"begin": at, "first": name, "piece": 0})
        piece = (at - journeys[-1]["begin"]) // LOOKBACK
        if piece != journeys[-1]["piece"]:
            journeys.append({"begin": journeys[-1]["begin"], "first": name, "piece": piece})
        journeys[-1]["last"] = at
        journeys[-1].setdefault("touches", []).append(name)
    expected = {
        hashlib.md5(f"order|.|{journey['first']}".encode()).hexdigest(): set(journey["touches"])
        for journeys in runs.values()
        for journey in journeys
    }
    actual = defaultdict(set)
    for row in table("int_journeys__touchpoints"):
        if not row["is_converted"]:
            actual[row["journey_id"]].add(row["touchpoint_id"])
    assert actual == expected
    assert len(expected) > 5
    conversions = {r["conversion_id"] for r in table("int_conversions__valued")}
    assert {
        r["journey_id"] for r in table("int_journeys__journeys")
    } == conversions | expected.keys()


def test_revenue_of_paid_orders_is_kept_to_the_cent(world):
    rows, table = world
    expected = sum(
        round(float(order["revenue"]) * 100)
        for order in rows["orders"]
        if order["status"] != "cancelled"
    )
    actual = sum(r["revenue"] for r in table("int_conversions__valued"))
    assert actual * 100 == expected
