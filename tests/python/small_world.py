"""A tiny deterministic shop, every dataset in it, to run a night on: `python small_world.py DIR`.

Forty people over two months. Person n visits on day n mod 30, gets an e-mail two days later, comes
back on the fourth day, and buys if n is not a multiple of 4. Everything follows from n, so that two
calls write equal files. One more person only ever bought in the store. `MALFORMED` rows are wrong
on purpose, and belong in quarantine.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

BEGIN = dt.datetime(2026, 3, 1, 9, 0)
PEOPLE = 40
MALFORMED = 6
"""Rows that cannot be loaded: two for a time, two for a missing value, an amount, a ragged line."""

Row = dict[str, object]


def write_small_world(landing: Path) -> None:
    """Write the landing folder of the small world; the same files each time."""
    _jsonl(landing / "events" / "web.jsonl", [*_web_events(), *_malformed_events()])
    _jsonl(landing / "events" / "email.jsonl.gz", _email_events())
    orders = _orders()
    broken = {"order_id": "o-broken", "ordered_at": "2026-03-02", "revenue": "a lot"}
    _jsonl(landing / "orders" / "orders.jsonl", [*orders, broken])
    _csv(landing / "order_items" / "items.csv", _order_items(orders))
    _csv(landing / "refunds" / "refunds.csv", _refunds(orders), ["r-ragged,o-1,2026-03-05"])
    _csv(landing / "products" / "products.csv", _products())
    _jsonl(landing / "contacts" / "contacts.json", _contacts())
    _csv(landing / "campaigns" / "campaigns.csv", _campaigns())
    _csv(landing / "ad_spend" / "spend.csv", _ad_spend())
    _jsonl(landing / "consents" / "consents.jsonl", _consents())
    _csv(landing / "experiment_assignments" / "assignments.csv", _experiment_assignments())
    _csv(landing / "exchange_rates" / "rates.csv", _exchange_rates())


def _at(person: int, days: int = 0, minutes: int = 0) -> dt.datetime:
    return BEGIN + dt.timedelta(days=person % 30 + days, minutes=7 * person + minutes)


def _email(person: int) -> str:
    return f"person{person}@example.com"


def _currency(person: int) -> str:
    return "EUR" if person % 5 == 0 else "USD"


def _buys(person: int) -> bool:
    return person % 4 != 0


def _web_events() -> Iterable[Row]:
    for person in range(1, PEOPLE + 1):
        visitor: Row = {
            "anonymous_id": f"device-{person}",
            "device_type": ("mobile", "desktop", "tablet")[person % 3],
            "country": ("US", "DE", "GB", "US")[person % 4],
            "city": ("Boston", "Berlin", "Leeds", "Austin")[person % 4],
        }
        source, medium = (("google", "cpc"), ("newsletter", "email"), (None, None))[person % 3]
        first = _at(person)
        yield {
            **visitor,
            "event_id": f"w-{person}-1",
            "event_name": "page_viewed",
            "occurred_at": first.isoformat(),
            "page_url": f"https://shop.example/landing?person={person}",
            "referrer_url": "https://www.google.com/" if source == "google" else None,
            "utm_source": source,
            "utm_medium": medium,
            "utm_campaign": "spring" if source else None,
            "properties": {"engagement_seconds": 5 * person},
        }
        yield {
            **visitor,
            "event_id": f"w-{person}-2",
            "event_name": "recommendation_clicked",
            "occurred_at": (first + dt.timedelta(minutes=3)).isoformat(),
            "campaign_id": "c-recommend",
            "content_id": f"block-{person % 2}",
            "tactic": "product_recommendation",
            "is_personalized": True,
            "product_id": f"p-{person % 6}",
        }
        # The visit of the purchase; it tells who the device belongs to.
        back = _at(person, days=4)
        yield {
            **visitor,
            "event_id": f"w-{person}-3",
            "event_name": "added_to_cart" if _buys(person) else "product_viewed",
            "occurred_at": int(back.replace(tzinfo=dt.UTC).timestamp() * 1000),
            "user_id": f"u-{person}",
            "email": _email(person),
            "product_id": f"p-{person % 6}",
            "value": 10 + person,
            "currency": _currency(person),
            "is_consented": False if person == 13 else None,
        }
        if person % 10 == 0:  # A copy, as a client sends it twice.
            yield {
                **visitor,
                "event_id": f"w-{person}-1",
                "event_name": "page_viewed",
                "occurred_at": first.isoformat(),
            }


def _malformed_events() -> Iterable[Row]:
    yield {"event_id": "m-1", "event_name": "page_viewed", "occurred_at": "yesterday"}
    yield {"event_id": "m-2", "event_name": "page_viewed", "occurred_at": "9999-12-31T00:00:00Z"}
    yield {"event_id": "m-3", "occurred_at": "2026-03-02T00:00:00Z"}
    yield {"event_id": "m-4", "event_name": "page_viewed"}


def _email_events() -> Iterable[Row]:
    for person in range(1, PEOPLE + 1):
        for number, name in enumerate(("email_delivered", "email_opened", "email_clicked")):
            if number == 2 and person % 3:
                continue
            yield {
                "event_id": f"e-{person}-{number}",
                "event_name": name,
                "occurred_at": _at(person, days=2, minutes=number).isoformat() + "Z",
                "email": _email(person).upper(),
                "campaign_id": "c-reminder",
                "content_id": f"subject-{person % 2}",
                "variant_id": "b" if person % 2 else "a",
                "experiment_id": "x-subject",
            }
        if person % 7 == 0:  # After the first order, before the second.
            yield {
                "event_id": f"e-{person}-again",
                "event_name": "email_clicked",
                "occurred_at": _at(person, days=9).isoformat() + "Z",
                "email": _email(person),
                "campaign_id": "c-again",
            }


def _orders() -> list[Row]:
    orders: list[Row] = []
    for person in filter(_buys, range(1, PEOPLE + 1)):
        for number in range(1 + (person % 7 == 0)):
            orders.append(
                {
                    "order_id": f"o-{person}" + ("-again" if number else ""),
                    "ordered_at": _at(person, days=4 + 12 * number, minutes=20).isoformat(),
                    "user_id": f"u-{person}",
                    "email": _email(person),
                    "revenue": f"{20 + 3 * person}.{person:02}",
                    "currency": _currency(person),
                    "discount": "1.50",
                    "coupon_code": "SPRING" if person % 6 == 1 else None,
                    "status": "cancelled" if person == 11 else "completed",
                    "channel": "store" if person % 9 == 0 else "web",
                }
            )
    orders.append(  # Somebody who only ever came to the store: no touch, nobody to credit.
        {
            "order_id": "o-walk-in",
            "ordered_at": "2026-03-15T15:00:00",
            "user_id": "u-walk-in",
            "revenue": "12.34",
            "currency": "USD",
            "status": "completed",
            "channel": "store",
        }
    )
    return orders


def _order_items(orders: list[Row]) -> list[Row]:
    return [
        {
            "order_id": order["order_id"],
            "product_id": f"p-{number % 6}",
            "quantity": 1 + number % 3,
            "unit_price": "9.90",
            "category": ("shoes", "shirts", "hats")[number % 3],
        }
        for number, order in enumerate(orders)
    ]


def _refunds(orders: list[Row]) -> list[Row]:
    return [
        {
            "refund_id": f"r-{number}",
            "order_id": order["order_id"],
            "refunded_at": "2026-04-20T10:00:00",
            # The first order is refunded in full.
            "amount": order["revenue"] if number == 0 else "5.00",
            "currency": order["currency"],
        }
        for number, order in enumerate(orders[:3])
    ]


def _products() -> list[Row]:
    return [
        {
            "product_id": f"p-{number}",
            "name": f"Product {number}",
            "category": ("shoes", "shirts", "hats")[number % 3],
            "brand": "Acme",
            "price": f"{10 + number}.00",
        }
        for number in range(6)
    ]


def _contacts() -> list[Row]:
    return [
        {
            "contact_id": f"k-{person}",
            "email": _email(person),
            "user_id": f"u-{person}",
            "phone": f"+1 617 555 {person:04}",
            "first_name": "Pat",
            "age_band": ("18-34", "35-54", "55+")[person % 3],
            "gender": ("f", "m")[person % 2],
            "income_band": ("low", "middle", "high")[person % 3],
            "household_size": "5+" if person % 8 == 0 else str(person % 4 + 1),
            "country": ("US", "DE", "GB", "US")[person % 4],
            "updated_at": "2026-03-01T00:00:00Z",
        }
        for person in range(1, PEOPLE + 1, 2)
    ]


def _campaigns() -> list[Row]:
    rows = (
        ("spring", "Spring sale", "paid_search", "none", "false"),
        ("c-reminder", "Cart reminder", "email", "email_personalization", "true"),
        ("c-again", "Come back", "email", "none", "false"),
        ("c-recommend", "Recommendations", "onsite", "product_recommendation", "true"),
    )
    names = ("campaign_id", "name", "channel", "tactic", "is_personalized")
    return [
        dict(zip(names, row, strict=True))
        | {"started_at": "2026-03-01", "ended_at": "2026-04-30", "eligible_until": None}
        for row in rows
    ]


def _ad_spend() -> list[Row]:
    return [
        {
            "date": (BEGIN.date() + dt.timedelta(days=day)).isoformat(),
            "channel": "paid_search",
            "campaign_id": "spring",
            "spend": f"{30 + day}.25",
            "currency": "USD",
            "impressions": 1000 + day,
            "clicks": 20 + day,
        }
        for day in range(30)
    ]


def _consents() -> list[Row]:
    return [
        {
            "user_id": f"u-{person}",
            "purpose": purpose,
            "is_granted": person % 6 != 0,
            "changed_at": "2026-02-15T00:00:00Z",
            "jurisdiction": ("US-MA", "DE")[person % 2],
        }
        for person in range(1, PEOPLE + 1, 3)
        for purpose in ("analytics", "personalization")
    ]


def _experiment_assignments() -> list[Row]:
    return [
        {
            "experiment_id": "x-subject",
            "variant_id": "b" if person % 2 else "a",
            "user_id": f"u-{person}",
            "assigned_at": "2026-03-01T00:00:00Z",
            "is_control": "false" if person % 2 else "true",
        }
        for person in range(1, PEOPLE + 1)
    ]


def _exchange_rates() -> list[Row]:
    return [
        {
            "date": (BEGIN.date() + dt.timedelta(days=day)).isoformat(),
            "currency": "EUR",
            "rate_to_usd": f"1.{10 + day % 5}",
        }
        for day in range(62)
    ]


def _jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(
        json.dumps({name: value for name, value in row.items() if value is not None}) + "\n"
        for row in rows
    )
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _csv(path: Path, rows: list[Row], raw_lines: Iterable[str] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        file.writelines(f"{line}\n" for line in raw_lines)


if __name__ == "__main__":
    write_small_world(Path(sys.argv[1]))
