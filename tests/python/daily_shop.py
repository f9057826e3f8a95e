"""A shop of which each day looks like the same weekday before: what gates must let through."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
from collections.abc import Callable
from pathlib import Path

Row = dict[str, object]
Day = dict[str, list[Row]]

START = dt.date(2026, 2, 2)
PEOPLE = 400
# Of a Monday to a Sunday.
BUSY = (1.0, 0.95, 1.0, 1.05, 1.1, 0.8, 0.75)
NAMES = {"page_viewed": 50, "product_viewed": 25, "added_to_cart": 12, "email_opened": 13}
MEDIA = {"cpc": 30, "email": 25, "organic": 25, "social": 20}
HOURS = {9: 10, 12: 20, 15: 20, 18: 25, 20: 25}
CSV = {"orders", "order_items", "ad_spend", "exchange_rates"}


def day(number: int) -> Day:
    """The rows of one day by data set; the same each time."""
    dice = random.Random(number)
    date = START + dt.timedelta(days=number)
    busy = BUSY[date.weekday()]

    def pick(weights: dict) -> object:
        return dice.choices(list(weights), list(weights.values()))[0]

    def moment() -> str:
        return f"{date}T{pick(HOURS):02}:{dice.randrange(60):02}:{dice.randrange(60):02}Z"

    events, orders, items, consents, contacts = [], [], [], [], []
    for place in range(round(400 * busy)):
        person = dice.randrange(PEOPLE)
        name = pick(NAMES)
        events.append(
            {
                "event_id": f"event-{number:03}-{place:05}",
                "event_name": name,
                "occurred_at": moment(),
                "anonymous_id": f"device-{person:06}",
                "user_id": f"user-{person:06}" if dice.random() < 0.5 else None,
                "utm_medium": pick(MEDIA),
                "utm_source": "shop",
                "page_url": f"https://shop.example/p/{dice.randrange(50)}",
                "device_type": pick({"mobile": 60, "desktop": 40}),
                "country": pick({"US": 70, "DE": 30}),
                "product_id": f"p{dice.randrange(40):02}" if name == "product_viewed" else None,
                "value": round(dice.uniform(10, 60), 2) if name == "added_to_cart" else None,
                "currency": pick({"USD": 70, "EUR": 30}) if name == "added_to_cart" else None,
                "ip": f"198.51.{dice.randrange(100)}.{dice.randrange(200)}",
                "is_consented": dice.random() < 0.85,
            }
        )
    for place in range(round(130 * busy)):
        person, order_id = dice.randrange(PEOPLE), f"order-{number:03}-{place:04}"
        price = round(dice.uniform(20, 120), 2)
        orders.append(
            {
                "order_id": order_id,
                "ordered_at": moment(),
                "user_id": f"user-{person:06}",
                "email": f"user{person}@example.com",
                "revenue": price,
                "currency": pick({"USD": 70, "EUR": 30}),
                "discount": 0,
                "status": pick({"paid": 95, "cancelled": 5}),
                "channel": pick({"web": 80, "store": 20}),
            }
        )
        items.append(
            {
                "order_id": order_id,
                "product_id": f"p{dice.randrange(40):02}",
                "quantity": 1,
                "unit_price": price,
            }
        )
    for _ in range(30):
        person = dice.randrange(PEOPLE)
        consents.append(
            {
                "user_id": f"user-{person:06}",
                "purpose": "analytics",
                "is_granted": dice.random() < 0.85,
                "changed_at": moment(),
            }
        )
        contacts.append(
            {
                "contact_id": f"contact-{number}-{person}",
                "email": f"user{person}@example.com",
                "user_id": f"user-{person:06}",
                "country": pick({"US": 70, "DE": 30}),
                "updated_at": moment(),
            }
        )
    spend = [
        {
            "date": date.isoformat(),
            "channel": channel,
            "campaign_id": f"{channel}-{place}",
            "spend": round(dice.uniform(90, 110) * share, 2),
            "currency": "USD",
        }
        for channel, share in (("paid_search", 0.5), ("paid_social", 0.3), ("display", 0.2))
        for place in range(8)
    ]
    rates = [
        {
            "date": date.isoformat(),
            "currency": "EUR",
            "rate_to_usd": round(1.1 + dice.uniform(-0.01, 0.01), 4),
        }
    ]
    return {
        "events": events,
        "orders": orders,
        "order_items": items,
        "consents": consents,
        "contacts": contacts,
        "ad_spend": spend,
        "exchange_rates": rates,
    }


def land(landing: Path, number: int, rows: Day) -> None:
    """Write the files of one day: JSON lines, and CSV for what shops export as tables."""
    for dataset, records in rows.items():
        folder = landing / dataset
        folder.mkdir(parents=True, exist_ok=True)
        if not records:
            continue
        if dataset in CSV:
            with (folder / f"{number:03}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(records)
        else:
            lines = (json.dumps(record) + "\n" for record in records)
            (folder / f"{number:03}.jsonl").write_text("".join(lines), encoding="utf-8")


def each(dataset: str, change: Callable[[Row], Row | None]) -> Callable[[Day], None]:
    """A fault that changes every row of a data set, or takes it away (None)."""

    def plant(rows: Day) -> None:
        changed = (change(dict(row)) for row in rows[dataset])
        rows[dataset] = [row for row in changed if row is not None]

    return plant
