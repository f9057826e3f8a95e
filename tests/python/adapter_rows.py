"""Rows of the adapters for the random nights: Segment calls and GA4 events of one population."""

from __future__ import annotations

import random
from collections.abc import Callable


def adapter_rows(
    name: str, people: list[dict], moment: Callable[[], str], dice: random.Random
) -> list[tuple[str, dict]]:
    """Calls and events of people who are in the other data sets too, as (dataset, row)."""
    rows: list[tuple[str, dict]] = []
    for number in range(6):
        person, other = dice.choice(people), dice.choice(people)
        call = {"messageId": f"{name}-m{number}", "timestamp": moment()}
        call |= dice.choice(
            [
                {"type": "page", "anonymousId": person["device"]},
                {
                    "type": "identify",
                    "anonymousId": person["device"],
                    "userId": person["user_id"],
                    "traits": {"email": person["email"], "gender": dice.choice("fm")},
                },
                # An order of which another data set may know, too.
                {
                    "type": "track",
                    "event": "Order Completed",
                    "userId": person["user_id"],
                    "properties": {
                        "order_id": f"{name}-o{dice.randrange(20)}",
                        "revenue": dice.randrange(1, 90),
                        "currency": dice.choice(["USD", "EUR"]),
                        "products": [{"product_id": f"{name}-p1", "price": 2, "quantity": 1}],
                    },
                },
            ]
        )
        rows.append(("segment", call))
        if dice.random() < 0.2:
            rows.append(("segment", call | {"userId": other["user_id"]}))
    if dice.random() < 0.3:
        person, other = dice.choice(people), dice.choice(people)
        alias = {"type": "alias", "messageId": f"{name}-a", "timestamp": moment()}
        alias |= {"userId": person["user_id"], "previousId": other["user_id"]}
        rows.append(("segment", alias))
    for number in range(4):
        person = dice.choice(people)
        event = {
            "event_timestamp": moment(),
            "event_name": dice.choice(["page_view", "purchase"]),
            "event_params": [{"key": "ga_session_id", "value": {"int_value": number}}],
            "user_pseudo_id": person["device"],
        }
        if event["event_name"] == "purchase":
            transaction = f"{name}-o{dice.randrange(24)}"
            event["ecommerce"] = {"transaction_id": transaction, "purchase_revenue": 3}
            event["items"] = [{"item_id": f"{name}-p2", "price": 1, "quantity": 3}]
        rows += [("ga4", event)] * dice.choice([1, 1, 2])
    return rows
