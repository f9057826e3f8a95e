"""A random world, as the tables that the features read, and its features by brute force."""

from __future__ import annotations

import datetime as dt
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb

from apportion import fit
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import connect

START = dt.datetime(2024, 1, 1)
DAY = dt.timedelta(days=1)
MICROSECOND = dt.timedelta(microseconds=1)
AS_OF = START + 500 * DAY

MODELS = sorted(path.stem for path in (PROJECT / "macros/attribution/models").glob("*.sql"))

TABLES = {
    "ops.clock": "as_of timestamp",
    "staging.stg_landing__places": (
        "country varchar, region varchar, country_code varchar, region_code varchar"
    ),
    "staging.stg_segment__contacts": (
        "user_id varchar, anonymous_id varchar, email varchar, phone varchar,"
        " created_at timestamp, updated_at timestamp, file_seq bigint, row_number bigint"
    ),
    "staging.stg_landing__refunds": (
        "refund_id varchar, order_id varchar, amount decimal(18, 4), refunded_at timestamp,"
        " file_seq bigint, row_number bigint"
    ),
    "staging.stg_landing__contacts": (
        "contact_id varchar, user_id varchar, email varchar, phone varchar, birth_date date,"
        " age_band varchar, gender varchar, country varchar, region varchar, city varchar,"
        " income_band varchar, household_size varchar, lifecycle_stage varchar,"
        " created_at timestamp, updated_at timestamp, file_seq bigint, row_number bigint"
    ),
    "staging.stg_landing__consents": (
        "user_id varchar, anonymous_id varchar, email varchar, purpose varchar,"
        " jurisdiction varchar,"
        " is_granted boolean, changed_at timestamp, file_seq bigint, row_number bigint"
    ),
    "staging.stg_landing__profile_attributes": (
        "user_id varchar, email varchar, attribute varchar, value varchar, kind varchar,"
        " source varchar, observed_at timestamp, file_seq bigint, row_number bigint"
    ),
    "staging.stg_landing__privacy_requests": (
        "request_id varchar, user_id varchar, anonymous_id varchar, email varchar, phone varchar,"
        " kind varchar, requested_at timestamp, file_seq bigint, row_number bigint"
    ),
    "intermediate.int_identity__identifiers": (
        "identifier_type varchar, identifier_value varchar, user_key varchar,"
        " unlinked_reason varchar, first_seen_at timestamp, last_seen_at timestamp"
    ),
    "intermediate.int_identity__stints": (
        "identifier_type varchar, identifier_value varchar, user_key varchar,"
        " started_at timestamp, ended_at timestamp"
    ),
    "intermediate.int_events__deduplicated": (
        "event_id varchar, user_key varchar, event_name varchar, device_type varchar,"
        " country varchar, region varchar, city varchar, exclusion_reason varchar,"
        " occurred_at timestamp"
    ),
    "intermediate.int_sessions__sessionized": (
        "session_id varchar, user_key varchar, channel varchar, device_type varchar,"
        " engagement_seconds double,"
        " started_at timestamp, ended_at timestamp"
    ),
    "intermediate.int_touchpoints__collapsed": (
        "touchpoint_id varchar, user_key varchar, touched_at timestamp"
    ),
    "intermediate.int_conversions__orders": (
        "order_id varchar, user_key varchar, top_category varchar, exclusion_reason varchar,"
        " coupon_code varchar,"
        " revenue decimal(18, 4), gross_revenue decimal(18, 4), discount decimal(18, 4),"
        " refunded_amount decimal(18, 4), is_cancelled boolean, ordered_at timestamp"
    ),
    "intermediate.int_conversions__order_items": (
        "order_id varchar, product_id varchar, category varchar, quantity double,"
        " unit_price decimal(18, 4)"
    ),
    "staging.stg_landing__products": (
        "product_id varchar, category varchar, file_seq bigint, row_number bigint"
    ),
    "intermediate.int_conversions__valued": (
        "conversion_id varchar, user_key varchar, order_id varchar, conversion_type varchar,"
        " revenue decimal(18, 4), lifetime_revenue decimal(18, 4), converted_at timestamp"
    ),
    # Empty: nothing to learn attribution from.
    "intermediate.int_journeys__journeys": (
        "journey_id varchar, user_key varchar, conversion_id varchar, conversion_type varchar,"
        " touch_count bigint, is_converted boolean, is_open boolean, started_at timestamp,"
        " ended_at timestamp, converted_at timestamp"
    ),
    "intermediate.int_journeys__touchpoints": (
        "journey_id varchar, touchpoint_id varchar, user_key varchar, conversion_id varchar,"
        " touch_number bigint, touch_count bigint, microseconds_to_conversion bigint,"
        " is_converted boolean, touched_at timestamp, converted_at timestamp"
    ),
    "intermediate.int_attribution__apportioned": (
        "attribution_scope varchar, conversion_id varchar, conversion_type varchar,"
        " touchpoint_id varchar, user_key varchar, channel varchar, tactic varchar,"
        " revenue double, clv double, converted_at timestamp, "
        + ", ".join(f"credit_{model} double" for model in MODELS)
    ),
}
EVENTS = (
    "page_viewed", "offer_redeemed", "signed_up", "product_viewed", "search_performed",
    "added_to_cart", "checkout_started",
)  # fmt: skip
OWN_MODELS = (
    "path:models/intermediate/features",
    "path:models/intermediate/segments",
    "path:models/marts/segments",
    "user_profiles",
    "journey_touchpoints",
    "int_attribution__labelled",
    "int_attribution__shown_segments",
    "int_attribution__segment_totals",
    "attribution_by_segment",
)


class World:
    """Rows of every input table, as dictionaries."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict]] = {table: [] for table in TABLES}
        self.add("ops.clock", as_of=AS_OF)

    def add(self, table: str, **values: object) -> None:
        """Append one row; columns that are not named are null."""
        self.rows[table].append(values)

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create every table with its rows."""
        for table, columns in TABLES.items():
            connection.execute(f"create schema if not exists {table.split('.')[0]}")
            connection.execute(f"create or replace table {table} ({columns})")
            names = [part.split()[0] for part in columns.replace("(18, 4)", "").split(", ")]
            rows = [[row.get(name) for name in names] for row in self.rows[table]]
            if rows:
                marks = ", ".join("?" * len(names))
                connection.executemany(f"insert into {table} values ({marks})", rows)


def random_world(seed: int, people: int = 150) -> World:
    """People with orders, sessions, events and touches; the clock is coarse: ties are frequent."""
    chance = random.Random(seed)
    world = World()

    def moment() -> dt.datetime:
        """Every fifth day, mostly: equal times and exactly 30 days apart are frequent."""
        time = START + 5 * DAY * chance.randrange(1, 99) + chance.choice([0, 0, 0, 1]) * DAY / 2
        return time + chance.choice([0, 0, 0, 0, 1, -1]) * MICROSECOND

    for number in range(people):
        user = f"u{number:03}"
        first_seen = chance.choice([START, moment(), moment()])
        for kind in ["user_id"] + ["anonymous_id"] * chance.randrange(0, 3):
            world.add(
                "intermediate.int_identity__identifiers",
                identifier_type=kind,
                identifier_value=user if kind == "user_id" else f"{user}-{chance.random()}",
                user_key=user,
                first_seen_at=first_seen,
                last_seen_at=AS_OF - DAY,
            )
        busy = chance.choice([0, 1, 3, 12])
        for order in range(chance.randrange(0, busy + 1)):
            order_id, ordered_at = f"o-{user}-{order}", moment()
            gross = Decimal(chance.randrange(0, 20000)) / 100
            refunds = [
                Decimal(chance.randrange(1, 900)) for _ in range(chance.choice([0, 0, 0, 1, 3]))
            ]
            refunded = min(gross, Decimal(chance.randrange(0, 9000)) / 700).quantize(
                Decimal("0.0001")
            )
            refunded = refunded if refunds else Decimal(0)
            for position, amount in enumerate(refunds):
                world.add(
                    "staging.stg_landing__refunds",
                    refund_id=f"r-{order_id}-{position}",
                    order_id=order_id,
                    amount=amount,
                    refunded_at=moment(),
                    file_seq=1,
                    row_number=position,
                )
            status = chance.choice(["cancelled", "not_yet", None, None, None, None, None])
            world.add(
                "intermediate.int_conversions__orders",
                order_id=order_id,
                user_key=user,
                top_category=chance.choice(["wine", "bread", None]),
                exclusion_reason="not_yet" if status == "not_yet" else None,
                coupon_code=chance.choice(["SPRING", None, None]),
                revenue=gross - refunded,
                gross_revenue=gross,
                discount=Decimal(chance.randrange(0, 3000)) / 100,
                refunded_amount=refunded,
                is_cancelled=status == "cancelled",
                ordered_at=ordered_at,
            )
            if status is None:
                world.add(
                    "intermediate.int_conversions__valued",
                    conversion_id=f"c-{order_id}",
                    user_key=user,
                    order_id=order_id,
                    conversion_type="order",
                    revenue=gross - refunded,
                    lifetime_revenue=Decimal(0),
                    converted_at=ordered_at,
                )
        for session in range(chance.randrange(0, busy + 1)):
            started_at = moment()
            world.add(
                "intermediate.int_sessions__sessionized",
                session_id=f"s-{user}-{session}",
                user_key=user,
                channel=chance.choice(["email", "direct", "paid_search"]),
                device_type=chance.choice(["mobile", "mobile", "desktop", "tv", None]),
                engagement_seconds=chance.randrange(0, 100000) / 1000,
                started_at=started_at,
                ended_at=started_at + dt.timedelta(minutes=chance.choice([0, 30, 720])),
            )
        for event in range(chance.randrange(0, 2 * busy + 1)):
            country = chance.choice([None, "FR", "DE"])
            world.add(
                "intermediate.int_events__deduplicated",
                event_id=f"e-{user}-{event:02}",
                user_key=user,
                event_name=chance.choice(EVENTS),
                device_type=chance.choice([None, "mobile", "desktop", "watch"]),
                country=country,
                region=chance.choice([None, "north", "south"]) if country else None,
                exclusion_reason=chance.choice([None, None, None, "bot"]),
                occurred_at=moment(),
            )
        for touch in range(chance.randrange(0, 2 * busy + 1)):
            world.add(
                "intermediate.int_touchpoints__collapsed",
                touchpoint_id=f"t-{user}-{touch:02}",
                user_key=user,
                touched_at=moment(),
            )
        for statement in range(chance.randrange(0, 4)):
            attribute, value = chance.choice(
                [
                    *(("interest", "toys"), ("Interest", "shoes"), ("values", "price")),
                    *(("home", "own"), ("urbanity", "urban"), ("urbanity", "rural")),
                ]
            )
            world.add(
                "staging.stg_landing__profile_attributes",
                user_id=user,
                attribute=attribute,
                value=value,
                observed_at=chance.choice([None, moment(), moment()]),
                file_seq=1,
                row_number=statement,
            )
        for statement in range(chance.choice([0, 0, 1, 3])):
            world.add(
                "staging.stg_landing__consents",
                user_id=user,
                purpose=chance.choice(["psychographic", "psychographic", "advertising"]),
                is_granted=chance.random() < 0.4,
                changed_at=moment(),
                file_seq=1,
                row_number=statement,
            )
        if chance.random() < 0.7:
            for version in range(chance.randrange(1, 3)):
                world.add(
                    "staging.stg_landing__contacts",
                    contact_id=f"crm-{user}",
                    user_id=user,
                    birth_date=chance.choice([None, dt.date(1980, 5, 17), dt.date(2010, 1, 1)]),
                    age_band=chance.choice([None, "35-44", "65+", "Under 18"]),
                    gender=chance.choice([None, "F", "male", "x"]),
                    income_band=chance.choice(
                        [None, "Under 15K", "50-74K", "250K+", "120,000 - 140,000"]
                    ),
                    country=chance.choice([None, "IT"]),
                    household_size=chance.choice([None, "1", "2", "5+"]),
                    created_at=chance.choice([None, START + 40 * DAY]),
                    updated_at=START + version * DAY,
                    file_seq=1,
                    row_number=version,
                )
    _credit_journeys(world, chance)
    _tell_of_people(world, random.Random(seed), moment)
    return world


def _tell_of_people(world: World, chance: random.Random, moment: Callable[[], dt.datetime]) -> None:
    """What surveys and a third party state of people, and the lines of their orders."""
    values = {
        "age_band": ["35-44", "65+", "Under 18"],
        "gender": ["F", "male", "x", "unknown"],
        "income_band": ["Under 15K", "50-74K", "250K+"],
        "household_size": ["1", "2", "5+"],
        "country": ["PT", "ES"],
        "region": ["north", "south"],
    }
    people = {row["user_key"] for row in world.rows["intermediate.int_identity__identifiers"]}
    for user in sorted(people):
        for statement in range(chance.randrange(0, 12)):
            attribute = chance.choice(sorted(values))
            world.add(
                "staging.stg_landing__profile_attributes",
                user_id=user,
                attribute=attribute,
                value=chance.choice(values[attribute]),
                kind=chance.choice(["demographic", "demographic", "demographic", "intent"]),
                source=chance.choice(["survey", "third_party", "third_party", "somebody"]),
                observed_at=chance.choice([None, moment(), moment(), moment()]),
                file_seq=2,
                row_number=statement,
            )
    for order in world.rows["intermediate.int_conversions__orders"]:
        for _ in range(chance.choice([0, 1, 2, 9])):
            world.add(
                "intermediate.int_conversions__order_items",
                order_id=order["order_id"],
                product_id=chance.choice(["p1", "p2", None]),
                category=chance.choice([None, "bread", "wine", "hats", "shoes", "tea", "rope"]),
                quantity=chance.choice([None, 1, 2]),
                unit_price=chance.choice([None, Decimal("1.5"), Decimal(3), Decimal(-1)]),
            )
    for number, category in enumerate(["hats", "tea", None]):
        world.add(
            "staging.stg_landing__products",
            product_id=("p1", "p1", "p2")[number],
            category=category,
            file_seq=1,
            row_number=number,
        )


def _credit_journeys(world: World, chance: random.Random) -> None:
    """Journeys over the 90 days before each conversion, with linear and last-touch credit."""
    touches_of: dict[str, list[dict]] = {}
    for touch in world.rows["intermediate.int_touchpoints__collapsed"]:
        touches_of.setdefault(touch["user_key"], []).append(touch)
    for conversion in world.rows["intermediate.int_conversions__valued"]:
        converted_at = conversion["converted_at"]
        touches = sorted(
            (
                touch
                for touch in touches_of.get(conversion["user_key"], [])
                if converted_at - 90 * DAY <= touch["touched_at"] <= converted_at
            ),
            key=lambda touch: (touch["touched_at"], touch["touchpoint_id"]),
        )
        for number, touch in enumerate(touches, start=1):
            world.add(
                "intermediate.int_journeys__touchpoints",
                journey_id=conversion["conversion_id"],
                touchpoint_id=touch["touchpoint_id"],
                user_key=touch["user_key"],
                conversion_id=conversion["conversion_id"],
                touch_number=number,
                touch_count=len(touches),
                microseconds_to_conversion=(converted_at - touch["touched_at"]) // MICROSECOND,
                is_converted=True,
                touched_at=touch["touched_at"],
                converted_at=converted_at,
            )
        for number, touch in enumerate(touches or [None], start=1):
            world.add(
                "intermediate.int_attribution__apportioned",
                attribution_scope="all",
                conversion_id=conversion["conversion_id"],
                conversion_type="order",
                touchpoint_id=touch and touch["touchpoint_id"],
                user_key=conversion["user_key"],
                channel=chance.choice(["email", "display"]) if touch else "unattributed",
                tactic="retargeting" if touch else None,
                revenue=float(conversion["revenue"]),
                clv=0.0,
                converted_at=converted_at,
                credit_linear=1 / max(len(touches), 1),
                credit_last_touch=float(number == max(len(touches), 1)),
            )


def features_before(world: World, user: str, moment: dt.datetime) -> dict[str, object]:
    """The features of a person, from nothing but rows that are strictly earlier than the moment."""
    rows = {
        name.split(".")[1]: [row for row in rows if row.get("user_key", user) == user]
        for name, rows in world.rows.items()
    }
    seen_at = rows["int_identity__identifiers"][0]["first_seen_at"]
    orders = sorted(
        (
            order
            for order in rows["int_conversions__orders"]
            if order["ordered_at"] < moment
            and not order["is_cancelled"]
            and order["exclusion_reason"] is None
        ),
        key=lambda order: order["ordered_at"],
    )
    money = [(order["ordered_at"], order["gross_revenue"]) for order in orders]
    for order in orders:
        refunds = sorted(
            (
                refund
                for refund in rows["stg_landing__refunds"]
                if refund["order_id"] == order["order_id"] and refund["refunded_at"] < AS_OF
            ),
            key=lambda refund: (refund["refunded_at"], refund["refund_id"]),
        )
        total, running, given = sum(refund["amount"] for refund in refunds), Decimal(0), Decimal(0)
        for refund in refunds:
            running += refund["amount"]
            upto = (order["refunded_amount"] * running / total).quantize(
                Decimal("0.0001"), ROUND_HALF_UP
            )
            at = max(refund["refunded_at"], order["ordered_at"])
            if at < moment:
                money.append((at, given - upto))
            given = upto
    sessions = rows["int_sessions__sessionized"]
    started = [row["started_at"] for row in sessions if row["started_at"] < moment]
    events = sorted(
        (
            event
            for event in rows["int_events__deduplicated"]
            if event["occurred_at"] < moment and event["exclusion_reason"] is None
        ),
        key=lambda event: (event["occurred_at"], event["event_id"]),
    )
    own = {
        name: [row for row in rows[f"stg_landing__{name}"] if row["user_id"] == user]
        for name in ("contacts", "profile_attributes", "consents")
    }
    contacts = own["contacts"]
    contact = max(contacts, key=lambda row: row["updated_at"]) if contacts else {}

    def stated_first(*names: str) -> dict[str, object]:
        """What the first source tells that knows any of these attributes, by the defaults."""
        if any(contact.get(name) for name in names):
            return {name: contact.get(name) for name in names}
        for source, fresh in (("survey", None), ("third_party", 365 * DAY)):
            by_time: dict[dt.datetime, dict[str, object]] = {}
            for row in sorted(own["profile_attributes"], key=lambda row: row["row_number"]):
                if row.get("kind") != "demographic" or row["source"] != source:
                    continue
                if row["attribute"] not in names or row["value"] == "unknown":
                    continue
                at = row["observed_at"] or dt.datetime(1970, 1, 1)
                if at < moment:
                    by_time.setdefault(at, {})[row["attribute"]] = row["value"]
            if by_time and (fresh is None or moment - max(by_time) < fresh):
                return by_time[max(by_time)]
        return {}

    places = [event for event in events if event["country"]]
    place = places[-1] if places else stated_first("country", "region", "city")
    devices = [event["device_type"] for event in events if event["device_type"]]
    times = [order["ordered_at"] for order in orders]
    discount = sum((order["discount"] for order in orders), Decimal(0))
    gross = sum((order["gross_revenue"] for order in orders), Decimal(0))
    revenue = sum((amount for _, amount in money), Decimal(0))
    aged = stated_first("age_band", "birth_date")
    born = aged.get("birth_date")
    age = born and ((moment.year - born.year) * 12 + moment.month - born.month) // 12
    written = {"35-44": 35, "65+": 65, "Under 18": 0}.get(aged.get("age_band"))

    def leader(rows: list[tuple[dt.datetime, str, str | None]]) -> str | None:
        """The name that most rows have; of several, the one that was the last to get there."""
        counts: dict[str, tuple[int, dt.datetime]] = {}
        for at, _, name in sorted(rows):
            if name is not None:
                counts[name] = (counts.get(name, (0,))[0] + 1, at)
        return max(counts, key=lambda name: (*counts[name], name)) if counts else None

    def stated(attribute: str) -> str | None:
        found = [
            (row["observed_at"] or dt.datetime(1970, 1, 1), row["row_number"], row["value"])
            for row in own["profile_attributes"]
            if row["attribute"].lower() == attribute
        ]
        return max((row for row in found if row[0] < moment), default=(None,))[-1]

    def minutes(since: dt.datetime | None) -> int | None:
        return None if since is None else (moment - since) // dt.timedelta(minutes=1)

    def open_since(*names: str) -> int | None:
        """Minutes since the last event of these names, if no order came after it or with it."""
        last = max((e["occurred_at"] for e in events if e["event_name"] in names), default=None)
        return None if last is None or (times and last <= times[-1]) else minutes(last)

    signals = [e["occurred_at"] for e in events if e["event_name"] in EVENTS[3:]]
    active = [*started, *signals]
    joined = [e["occurred_at"] for e in events if e["event_name"] == "signed_up"]
    if contact.get("created_at") and contact["created_at"] < moment:
        joined.append(contact["created_at"])
    answers = [
        (row["changed_at"], row["row_number"], row["is_granted"])
        for row in own["consents"]
        if row["purpose"] == "psychographic" and row["changed_at"] < moment
    ]
    allowed = max(answers)[-1] if answers else True
    ended = [row for row in sessions if row["ended_at"] < moment and row["device_type"]]
    visits = [
        row["device_type"] if row["device_type"] in ("desktop", "mobile", "tablet") else "other"
        for row in ended
    ]

    def rounded(value: Decimal, digits: str) -> Decimal:
        return value.quantize(Decimal(digits), ROUND_HALF_UP)

    return {
        "first_seen_at": seen_at if seen_at < moment else None,
        "last_order_at": times[-1] if times else None,
        "previous_order_at": times[-2] if len(times) > 1 else None,
        "days_since_first_seen": (moment - seen_at) // DAY if seen_at < moment else None,
        "days_since_last_order": (moment - times[-1]) // DAY if times else None,
        "days_between_last_orders": (times[-1] - times[-2]) // DAY if len(times) > 1 else None,
        "orders_count": len(times),
        "orders_90d": sum(time > moment - 90 * DAY for time in times),
        "orders_365d": sum(time > moment - 365 * DAY for time in times),
        "revenue": revenue,
        "revenue_365d": sum(
            (amount for at, amount in money if at > moment - 365 * DAY), Decimal(0)
        ),
        "average_order_value": rounded(revenue / len(times), "0.0001") if times else None,
        "discount_share": rounded(discount / (gross + discount), "0.000001")
        if gross + discount
        else None,
        "sessions_count": len(started),
        "sessions_30d": sum(time > moment - 30 * DAY for time in started),
        "engagement_seconds_30d": sum(
            (
                Decimal(str(row["engagement_seconds"]))
                for row in sessions
                if moment - 30 * DAY < row["ended_at"] < moment
            ),
            Decimal(0),
        ),
        "offers_redeemed_count": sum(event["event_name"] == "offer_redeemed" for event in events),
        "orders_with_coupon_count": sum(order["coupon_code"] is not None for order in orders),
        "intent_signals_7d": sum(time > moment - 7 * DAY for time in signals),
        "minutes_since_open_signal": open_since(*EVENTS[3:]),
        "minutes_since_open_cart": open_since("added_to_cart"),
        "minutes_since_open_checkout": open_since("checkout_started"),
        "minutes_since_last_visit": minutes(max(active, default=None)),
        "days_since_last_active": (moment - max(active + times)) // DAY if active + times else None,
        "days_since_joined": (moment - min(joined)) // DAY if joined else None,
        **{
            f"visits_{kind}_count": visits.count(kind)
            for kind in ("desktop", "mobile", "tablet", "other")
        },
        "top_category": leader(
            [(order["ordered_at"], order["order_id"], order["top_category"]) for order in orders]
        ),
        "top_channel": leader(
            [
                (row["started_at"], row["session_id"], row["channel"])
                for row in sessions
                if row["started_at"] < moment
            ]
        ),
        "interest": stated("interest") if allowed else None,
        "value_theme": stated("values") if allowed else None,
        "urbanity": stated("urbanity"),
        "household_size": stated_first("household_size").get("household_size"),
        "local_hour": moment.hour,
        "local_weekday": moment.isoweekday(),
        "local_month": moment.month,
        "country": place.get("country"),
        "region": place.get("region"),
        "device_type": devices[-1] if devices else None,
        "gender": {"F": "female", "male": "male", "x": "other gender"}.get(
            stated_first("gender").get("gender")
        ),
        "age_from": age if age is not None else written,
        "income_from": {
            "Under 15K": 0,
            "50-74K": 50000,
            "250K+": 250000,
            "120,000 - 140,000": 120000,
        }.get(stated_first("income_band").get("income_band")),
    }


def copy_project(folder: Path) -> Path:
    """A copy of the project without what runs made."""
    project = folder / "project"
    made = (".git", ".venv", "data", "target", "logs", ".airflow", "__pycache__", ".pytest_cache")
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns(*made))
    return project


def dbt(project: Path, data: Path, *arguments: str) -> str:
    """Run dbt in its own process; its output, which is also the message where it fails."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from dbt.cli.main import cli; cli()"),
            *arguments,
            *("--project-dir", str(project), "--profiles-dir", str(project)),
            *("--target-path", str(data / "target"), "--log-path", str(data / "logs")),
        ],
        env={**os.environ, "APPORTION_DATA": str(data), "DO_NOT_TRACK": "1", "NO_COLOR": "1"},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


def build(project: Path, data: Path, world: World, *settings: str) -> None:
    """Write the world; build features, fitted thresholds and all that reads segments."""
    data.mkdir(parents=True, exist_ok=True)
    with connect(data / "warehouse.duckdb") as connection:
        world.write(connection)
    dbt(project, data, "seed", "--select", "personas")
    consents = "path:models/intermediate/consents"
    dbt(project, data, "run", "--select", consents, OWN_MODELS[0], *settings)
    fit.score(Night(Settings(data=data, landing=data / "landing")))
    dbt(project, data, "run", "--select", *OWN_MODELS[1:], *settings)
