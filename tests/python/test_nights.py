"""Nights add up: after each night the tables are what a full refresh of the same raw leaves.

Many small populations live side by side in one warehouse, and each has its rows strewn over the
nights by its own dice: late, out of order, delivered twice, people who turn out to be one, orders
that change, refunds, corrected CRM records, new exchange rates. One run of nights so tries as many
cuts as there are populations. `APPORTION_SOAK` (see `make soak`) is the number of runs.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from adapter_rows import adapter_rows

from apportion import fit, load, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect, identifier

START = dt.datetime(2026, 1, 1)
# The days that the nights are judged as of; a night is skipped, and one has no new file.
NIGHTS = (20, 33, 34, 52, 100, 131)
QUIET = 2
# Refunds of one night come under a name that nobody knew until a later one: quarantined, then read.
RENAMED, KNOWN = 1, 3
VISITS = (
    *("page_viewed", "page_viewed", "page_viewed", "product_viewed", "search_performed"),
    *("added_to_cart", "checkout_started", "signed_up"),
)
POPULATIONS = 50
SEEDS = range(int(os.environ.get("APPORTION_SOAK", "1")))
# What is about the run itself, not about the data.
NOT_COMPARED = {"run_log", "quality_results", "source_freshness"}
# What a night alone did, and what speaks of identifiers by numbers, which depend on the nights that
# they were given in: test_identity.py compares them by what the numbers stand for.
NOT_COMPARED |= {"int_events__changed", "int_identity__changed"}
NOT_COMPARED |= {
    f"int_identity__{name}"
    for name in (
        "nodes", "evidence", "edges", "guarded", "known_components", "shared_devices", "unlinked",
        "links", "components", "vetoes", "cut", "device_owners",
    )
}  # fmt: skip


def population(name: str, dice: random.Random) -> list[tuple[str, dict]]:
    """The rows of one population of eight people over 130 days, as (dataset, row), in any order."""

    def moment(days: float = 130) -> str:
        minutes = dice.randrange(0, int(days * 144)) * 10
        return (START + dt.timedelta(minutes=minutes)).isoformat()

    people = [
        {"user_id": f"{name}-u{n}", "email": f"{name}-{n}@shop.example", "device": f"{name}-d{n}"}
        for n in range(8)
    ]
    rows: list[tuple[str, dict]] = []
    for number in range(60):
        person = dice.choice(people)
        event = {"event_id": f"{name}-e{number}", "occurred_at": moment()}
        kind = dice.random()
        if kind < 0.5:
            event |= {"event_name": dice.choice(VISITS), "anonymous_id": person["device"]}
            if dice.random() < 0.5:
                event["device_type"] = dice.choice(["mobile", "desktop", "tablet", "tv"])
            if dice.random() < 0.4:
                event |= {"utm_source": dice.choice(["google", "newsletter"]), "utm_medium": "cpc"}
            if dice.random() < 0.2:
                event["user_id"] = dice.choice([person["user_id"], "null"])
        elif kind < 0.8:
            event |= {
                "event_name": dice.choice(["email_sent", "email_opened", "email_clicked"]),
                "email": person["email"],
                "campaign_id": f"{name}-mail",
                "received_at": moment(),
            }
        elif kind < 0.9:
            event |= {
                "event_name": "offer_redeemed",
                "user_id": person["user_id"],
                "device_type": dice.choice(["mobile", "desktop"]),
            }
        else:
            event |= {
                "event_name": "offer_sent",
                "channel": "direct_mail",
                "user_id": person["user_id"],
                "campaign_id": f"{name}-mailing",
            }
        if event["event_name"] in VISITS and dice.random() < 0.15:
            # The source says which visit it is of, days apart or not.
            event["session_id"] = f"{person['device']}-s{dice.randrange(3)}"
        rows.append(("events", event))
        if dice.random() < 0.3:
            # A visit or a contact that goes on, each a little later than the one before.
            for step in range(1, dice.randrange(2, 6)):
                later = dt.datetime.fromisoformat(event["occurred_at"])
                later += dt.timedelta(minutes=step * dice.choice([10, 29, 30, 31]))
                more = {"event_id": f"{name}-e{number}-{step}", "occurred_at": later.isoformat()}
                rows.append(("events", event | more))
        if dice.random() < 0.1:
            # The same event again, earlier received and of somebody else.
            other = {"user_id": dice.choice(people)["user_id"], "received_at": moment(1)}
            rows.append(("events", event | other))
    for number in range(14):
        person = dice.choice(people)
        order = {
            "order_id": f"{name}-o{number}",
            "ordered_at": moment(),
            "revenue": f"{dice.randrange(1, 9000) / 100:.2f}",
            "currency": dice.choice(["USD", "USD", "EUR"]),
            "status": "paid",
            "coupon_code": dice.choice(["SPRING", None]),
            **dice.choice([{"user_id": person["user_id"]}, {"email": person["email"]}, {}]),
        }
        rows.append(("orders", order))
        if dice.random() < 0.3:
            rows.append(
                ("orders", order | dice.choice([{"status": "cancelled"}, {"revenue": "1"}]))
            )
        if dice.random() < 0.3:
            rows.append(("orders", order | {"user_id": dice.choice(people)["user_id"]}))
        item = {"order_id": order["order_id"], "product_id": f"{name}-p{number % 3}"}
        rows.append(("order_items", item | {"quantity": 1, "unit_price": "5.00"}))
        if dice.random() < 0.3:
            refund = {"refund_id": f"{name}-r{number}", "order_id": order["order_id"]}
            rows.append(("refunds", refund | {"refunded_at": moment(), "amount": "0.50"}))
    for number in range(3):
        product = {"product_id": f"{name}-p{number}"}
        rows += [("products", product | {"category": category}) for category in ("a", "b")]
    # Logins and CRM records that make one person of several identifiers.
    for number in range(5):
        person, other = dice.choice(people), dice.choice(people)
        login = {"event_id": f"{name}-l{number}", "occurred_at": moment(), "event_name": "login"}
        rows.append(
            ("events", login | {"anonymous_id": person["device"], "user_id": other["user_id"]})
        )
        contact = {
            "contact_id": f"{name}-c{number}",
            "email": person["email"],
            "user_id": person["user_id"],
            "gender": dice.choice(["f", "m"]),
            "country": dice.choice(["US", "DE"]),
            "created_at": moment(40),
            "updated_at": moment(),
        }
        rows += [("contacts", contact), ("contacts", contact | {"gender": "f", "country": "FR"})]
    for number in range(3):
        conversion = {
            "conversion_id": f"{name}-x{number}",
            "converted_at": moment(),
            "conversion_type": "call",
            "email": dice.choice(people)["email"],
            "value": "10",
            "currency": "EUR",
        }
        rows.append(("offline_conversions", conversion))
    # Answers and withdrawals, by account or device, under laws that differ.
    for _ in range(8):
        person = dice.choice(people)
        consent = {
            "purpose": dice.choice(
                ["analytics", "analytics", "personalization", "advertising", "psychographic"]
            ),
            "is_granted": dice.random() < 0.6,
            "changed_at": moment(),
            "jurisdiction": dice.choice(["EU", "DE-BY", "US-CA", "elsewhere"]),
            **dice.choice(
                [
                    {"user_id": person["user_id"]},
                    {"email": person["email"]},
                    {"anonymous_id": person["device"]},
                ]
            ),
        }
        rows.append(("consents", {k: v for k, v in consent.items() if v != "elsewhere"}))
    for number in range(6):
        attribute = {
            "attribute": dice.choice(["interest", "values", "urbanity"]),
            "value": f"v{number}",
            "observed_at": dice.choice([moment(), moment(), None]),
        }
        rows.append(("profile_attributes", attribute | {"user_id": dice.choice(people)["user_id"]}))
    # What surveys and a third party say of people, beside and instead of their CRM records.
    for _ in range(10):
        person = dice.choice(people)
        statement = {
            "kind": "demographic",
            "source": dice.choice(["survey", "third_party", "third_party", "nobody knows"]),
            "observed_at": dice.choice([moment(), moment(), moment(), None]),
            **dice.choice(
                [
                    {"attribute": "age_band", "value": dice.choice(["18-24", "35-44", "65+"])},
                    {"attribute": "gender", "value": dice.choice(["f", "m", "x"])},
                    {"attribute": "household_size", "value": dice.choice(["1", "2", "5+"])},
                    {"attribute": "country", "value": dice.choice(["Germany", "FR"])},
                ]
            ),
        }
        identifier_of = dice.choice(["user_id", "email"])
        rows.append(("profile_attributes", statement | {identifier_of: person[identifier_of]}))
    campaigns = [
        {"campaign_id": f"{name}-mail", "tactic": "email_personalization", "is_personalized": True},
        {
            "campaign_id": f"{name}-mailing",
            "channel": "direct_mail",
            "eligible_until": (START + dt.timedelta(days=60)).isoformat(),
        },
    ]
    rows += [("campaigns", campaign) for campaign in campaigns]
    rows.append(("campaigns", campaigns[0] | {"tactic": "dynamic_content"}))
    rows += adapter_rows(name, people, moment, dice)
    for number in range(6):
        # A device that two share: what it shows of nobody, such as a click, is of neither.
        event = {"event_id": f"{name}-k{number}", "occurred_at": moment()}
        event |= {"anonymous_id": f"{name}-kiosk"}
        if number % 2:
            event |= {"event_name": "page_viewed", "click_id": f"{name}-click-{number}"}
        else:
            event |= {"event_name": "login", "user_id": people[number % 4]["user_id"]}
        rows.append(("events", event))
    return rows


def happened_on(row: dict) -> float:
    """The day, from START, of a row's latest moment; 0 where it has none."""
    moments = (
        "timestamp",
        "event_timestamp",
        "occurred_at",
        "ordered_at",
        "refunded_at",
        "converted_at",
        "changed_at",
        "observed_at",
    )
    days = [
        (dt.datetime.fromisoformat(row[name]) - START) / dt.timedelta(days=1)
        for name in (*moments, "created_at", "updated_at")
        if row.get(name) is not None
    ]
    return max(days, default=0)


def night_of(row: dict, dice: random.Random) -> int:
    """When a row lands: mostly the first night after it happened, often later, rarely before."""
    if dice.random() < 0.01:
        return dice.choice([n for n in range(len(NIGHTS)) if n != QUIET])
    later = [n for n in range(len(NIGHTS)) if n != QUIET and happened_on(row) < NIGHTS[n] + 1]
    return later[0] if dice.random() < 0.7 else dice.choice(later)


def land(landing: Path, night: int, rows: list[tuple[str, dict]]) -> None:
    """Write one night's rows, one file per dataset."""
    by_file = defaultdict(list)
    for dataset, row in rows:
        # Rows of the future have a file of their own: it is taken in until their time is come.
        is_early = happened_on(row) >= NIGHTS[night] + 1
        by_file[dataset, "early" if is_early else "night"].append(row)
    for (dataset, name), records in by_file.items():
        path = landing / dataset / f"{name}-{night}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        if (dataset, night) == ("refunds", RENAMED):
            records = [{"refund_no": r["refund_id"]} | r for r in records]
            for record in records:
                del record["refund_id"]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))


def name_the_column(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody adds the one line to the aliases."""
    seed = folder / "column_aliases.csv"
    seed.write_text(load.ALIASES.read_text() + "refunds,refund_no,refund_id\n")
    monkeypatch.setattr(load, "ALIASES", seed)


def quarantined(settings: Settings) -> int:
    """The rows in quarantine."""
    with connect(settings.warehouse, read_only=True) as connection:
        return connection.execute("select count(*) from raw._quarantine").fetchone()[0]


def build(settings: Settings, day: int, *, full_refresh: bool = False) -> str:
    """Load and build one night, without gates; returns what the marts' stage said."""
    date = (START + dt.timedelta(days=day)).date()
    night = Night(settings, date=date, full_refresh=full_refresh)
    load.load(night)
    transform.build(night, "staging")
    transform.build(night, "intermediate")
    fit.score(night)
    return transform.build(night, "marts")


def affected_share(settings: Settings) -> float:
    """The share of people whose rows the night took in anew."""
    with connect(settings.warehouse, read_only=True) as connection:
        return connection.execute(
            "select (select count(*) from intermediate.int_nights__affected_users)"
            " / count(distinct user_key) from intermediate.int_identity__identifiers"
        ).fetchone()[0]


def content(settings: Settings) -> dict[str, list[tuple]]:
    """Every table of the intermediate layer and the marts, its rows in one order."""
    tables = {}
    with connect(settings.warehouse, read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('intermediate', 'marts')"
        ).fetchall()
        for schema, name in names:
            if name in NOT_COMPARED or "int_nights__" in name or "__affected_" in name:
                continue
            relation = f"{schema}.{identifier(name)}"
            columns = connection.execute(f"describe {relation}").fetchall()
            exact = [identifier(c[0]) for c in columns if c[1] != "DOUBLE"]
            doubles = [identifier(c[0]) for c in columns if c[1] == "DOUBLE"]
            tables[f"{schema}.{name}"] = connection.execute(
                f"select row({', '.join(exact)}), row({', '.join(doubles or ['null'])})"
                f" from {relation} order by all"
            ).fetchall()
    return tables


def differences(actual: dict, expected: dict) -> list[str]:
    """What differs: keys, counts, times and decimals exactly, doubles beyond 1e-12 relative.

    A percent change is a difference of such doubles: near 0 only its absolute error is bounded.
    """
    found = [f"{name} is in one only" for name in actual.keys() ^ expected.keys()]
    for name in sorted(actual.keys() & expected.keys()):
        ours, theirs = actual[name], expected[name]
        if len(ours) != len(theirs):
            found.append(f"{name}: {len(ours)} rows, a full refresh has {len(theirs)}")
        for left, right in zip(ours, theirs, strict=False):
            close = all(
                a == b or (None not in (a, b) and math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-11))
                for a, b in zip(left[1], right[1], strict=True)
            )
            if left[0] != right[0] or not close:
                found.append(f"{name}: {left} but a full refresh has {right}")
                break
    return found


@pytest.fixture(scope="module", params=SEEDS)
def history(request, tmp_path_factory):
    """The rows of every night, and the folder that they are landed in."""
    dice = random.Random(request.param)
    nights: list[list[tuple[str, dict]]] = [[] for _ in NIGHTS]
    for number in range(POPULATIONS):
        for dataset, row in population(f"p{number}", dice):
            nights[night_of(row, dice)].append((dataset, row))
            if dice.random() < 0.05:
                nights[-1].append((dataset, row))
    for day in range(0, 131, 3):
        date = (START + dt.timedelta(days=day)).date().isoformat()
        rate = {"date": date, "currency": "EUR", "rate_to_usd": f"{1 + day / 1000:.4f}"}
        nights[dice.choice([0, 1, 3, 4])].append(("exchange_rates", rate))
    for rows in nights:
        dice.shuffle(rows)
    folder = tmp_path_factory.mktemp("nights")
    (folder / "landing").mkdir()
    # Short enough to lapse between the nights, by the clock alone.
    (folder / "landing" / "vars.yml").write_text(
        "demographic_fresh_days: {survey: 60, third_party: 15}\n"
    )
    return nights, folder


def test_each_night_leaves_what_a_full_refresh_leaves(history, monkeypatch):
    nights, folder = history
    landing = folder / "landing"
    settings = Settings.resolve(folder / "data", landing)
    said, shares, waiting = [], [], []
    for number, (day, rows) in enumerate(zip(NIGHTS, nights, strict=True)):
        land(landing, number, rows)
        if number == KNOWN:
            name_the_column(folder, monkeypatch)
        said.append(build(settings, day))
        waiting.append(quarantined(settings) > 0)
        shares.append(affected_share(settings))
        again = Settings.resolve(folder / "again", landing)
        shutil.rmtree(again.data, ignore_errors=True)
        shutil.copytree(settings.data, again.data)
        build(again, day, full_refresh=True)
        assert not differences(content(settings), content(again)), f"night {number}"
    # The first built everything, and so did the one that read a file again; no other, and not of
    # everybody, or nothing was compared.
    assert 0 < shares[QUIET] < 0.5, shares
    assert waiting == [RENAMED <= number < KNOWN for number in range(len(NIGHTS))]
    everything = [number in (0, KNOWN) for number in range(len(NIGHTS))]
    assert ["everything" in line for line in said] == everything


def test_one_night_leaves_the_same_credit_as_many(history, monkeypatch):
    # Learned models aside: the many nights learned from what there was on the first.
    _, folder = history
    name_the_column(folder, monkeypatch)
    once = Settings.resolve(folder / "once", folder / "landing")
    build(once, NIGHTS[-1])
    query = (
        "select attribution_model, attribution_scope, conversion_type, channel,"
        " round(sum(conversions), 6), round(sum(revenue), 6)"
        " from marts.attribution_by_channel where attribution_model not in"
        " (select attribution_model from ml.attribution_element_weights)"
        " group by all order by all"
    )
    results = []
    for data in ("data", "once"):
        with connect(folder / data / "warehouse.duckdb", read_only=True) as connection:
            results.append(connection.execute(query).fetchall())
    assert results[0] == results[1]
    assert len(results[0]) > 50
