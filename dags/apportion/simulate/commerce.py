"""Orders and what belongs to them, products, campaigns, spend, rates, conversions elsewhere."""

from __future__ import annotations

import datetime as dt

import numpy as np

from apportion.simulate.draws import scramble, uniform
from apportion.simulate.history import History, campaign_ids, content_ids
from apportion.simulate.lines import product_ids
from apportion.simulate.orders import PHONE, STORE, WEB, take
from apportion.simulate.people import NEVER
from apportion.simulate.sheets import Sheet, moments, money, sheet, week
from apportion.simulate.shop import (
    CATEGORIES,
    CONTENTS_PER_CAMPAIGN,
    DAY,
    PRODUCTS_PER_CATEGORY,
    PROGRAM,
    PROGRAMS,
)

UNKNOWN_CURRENCY = "XTS"
"""The code that ISO 4217 keeps for tests: no rate exists for it."""

_MALFORMED = 0.002
_UNKNOWN = 0.0005
# People who see advertising and never come, per person who does: nothing else tells of them.
_STRANGERS = 3
_BRANDS = ("Northwind", "Lumen", "Oakline", "Petit Jour", "Vela")


def order_ids(history: History) -> list[str]:
    """Id of every order that was made, in order of time; those made elsewhere have one too."""
    return [f"O{1_000_000 + number}" for number in range(len(history.made))]


def orders(history: History) -> tuple[Sheet, list[tuple[str, int]]]:
    """The orders of the web: a row when it is made, another when it is cancelled.

    Returns:
        the sheet, and its planted defects: kind and row.
    """
    start = history.calendar.start
    people, person = history.people, history.order_person
    basket = take(history.baskets, history.made)
    ordered_at = history.placements.ordered_at[history.made]
    ids = order_ids(history)
    cancelled_at = ordered_at + basket.cancelled_after
    web = np.flatnonzero((basket.placed_in == WEB) & (ordered_at < history.end))
    gone = web[basket.is_cancelled[web] & (cancelled_at[web] < history.end)]
    number = np.concatenate([web, gone])
    is_gone = np.arange(len(number)) >= len(web)
    told_at = np.where(is_gone, cancelled_at[number], ordered_at[number])

    has_coupon = basket.discount > 0
    anonymous = people.anonymous_id_text(history.order_anonymous)
    content = history.offer
    rows = number.tolist()
    table = sheet(
        "orders",
        "csv",
        told_at // DAY,
        {
            "order_id": [ids[row] for row in rows],
            "ordered_at": moments(start, ordered_at[number], "plain"),
            "user_id": [
                people.user_id(int(person[row])) if history.logs_in[row] else None for row in rows
            ],
            "anonymous_id": [anonymous[row] for row in rows],
            "email": [people.email(int(person[row])) for row in rows],
            "revenue": money(basket.revenue[number]),
            "currency": ["EUR" if basket.is_euro[row] else "USD" for row in rows],
            "discount": money(basket.discount[number]),
            "shipping": money(basket.shipping[number]),
            "tax": money((basket.revenue[number] * 0.1).round(2)),
            "cost": money(basket.cost[number]),
            "coupon_code": [
                (f"OFFER{content[row]}" if content[row] >= 0 else "WELCOME")
                if has_coupon[row]
                else None
                for row in rows
            ],
            "status": ["cancelled" if gone else "completed" for gone in is_gone.tolist()],
            "channel": ["web"] * len(rows),
        },
        told_at,
        number,
    )
    return table, _damage(history, table)


def _damage(history: History, table: Sheet) -> list[tuple[str, int]]:
    """Plant a currency that nobody knows, bad amounts, bad times and ragged rows."""
    key, rows = history.draws.key("defects", 30), np.arange(len(table))
    planted = []
    chance = uniform(key, rows)
    kinds = ("unknown_currency", "bad_amount", "bad_timestamp", "ragged_row")
    shares = (_UNKNOWN, _MALFORMED / 3, _MALFORMED / 3, _MALFORMED / 3)
    floor, taken = 0.0, np.zeros(len(table), bool)
    chosen = {}
    for kind, share in zip(kinds, shares, strict=True):
        chosen[kind] = (chance >= floor) & (chance < floor + share)
        taken |= chosen[kind]
        floor += share
    for number, kind in enumerate(kinds):
        free = np.flatnonzero(~taken)
        if not chosen[kind].any() and len(free):
            row = free[np.argmin(scramble(history.draws.key("defects", 31 + number), free))]
            chosen[kind][row] = taken[row] = True
        for row in np.flatnonzero(chosen[kind]).tolist():
            planted.append((kind, row))
            if kind == "unknown_currency":
                table.columns["currency"][row] = UNKNOWN_CURRENCY
            elif kind == "bad_amount":
                table.columns["revenue"][row] = table.columns["revenue"][row].replace(".", ",")
            elif kind == "bad_timestamp":
                table.columns["ordered_at"][row] = "32.13.2026 25:00"
            else:
                table.surplus.add(row)
    return planted


def order_items(history: History) -> tuple[Sheet, list[tuple[str, int]]]:
    """The lines of the orders of the web, and the planted defects: kind and row."""
    basket = take(history.baskets, history.made)
    ordered_at = history.placements.ordered_at[history.made]
    ids, skus = order_ids(history), product_ids()
    number, line = np.nonzero(basket.quantity > 0)
    is_told = (basket.placed_in[number] == WEB) & (ordered_at[number] < history.end)
    number, line = number[is_told], line[is_told]
    product = basket.product[number, line]
    table = sheet(
        "order_items",
        "csv.gz",
        ordered_at[number] // DAY,
        {
            "order_id": [ids[row] for row in number.tolist()],
            "product_id": [skus[row] for row in product.tolist()],
            "quantity": basket.quantity[number, line].tolist(),
            "unit_price": money(basket.unit_price[number, line]),
            "category": [CATEGORIES[row] for row in (product // PRODUCTS_PER_CATEGORY).tolist()],
        },
        number,
    )
    chance = uniform(history.draws.key("defects", 40), np.arange(len(table)))
    planted = []
    if len(table):
        ragged = set(np.flatnonzero(chance < _MALFORMED).tolist()) or {int(np.argmin(chance))}
        table.surplus = ragged
        planted = [("ragged_row", row) for row in sorted(ragged)]
    return table, planted


def refunds(history: History) -> Sheet:
    """What was given back, exported weekly."""
    basket = take(history.baskets, history.made)
    ordered_at = history.placements.ordered_at[history.made]
    refunded_at = ordered_at + basket.refunded_after
    rows = np.flatnonzero((basket.refund > 0) & (refunded_at < history.end))
    ids = order_ids(history)
    return sheet(
        "refunds",
        "csv",
        week(refunded_at[rows] // DAY, history.calendar.days),
        {
            "refund_id": [f"R{ids[row][1:]}" for row in rows.tolist()],
            "order_id": [ids[row] for row in rows.tolist()],
            "refunded_at": moments(history.calendar.start, refunded_at[rows]),
            "amount": money(basket.refund[rows]),
            "currency": ["EUR" if euro else "USD" for euro in basket.is_euro[rows].tolist()],
        },
        refunded_at[rows],
    )


def offline_conversions(history: History) -> Sheet:
    """What was bought in a store or by telephone, exported weekly."""
    people = history.people
    basket = take(history.baskets, history.made)
    ordered_at = history.placements.ordered_at[history.made]
    rows = np.flatnonzero((basket.placed_in != WEB) & (ordered_at < history.end))
    ids = order_ids(history)
    persons = history.order_person[rows]
    # A loyalty card in the store, the caller's number on the telephone, else a receipt by e-mail.
    carries = (history.account_since[persons] < ordered_at[rows]) & (
        basket.placed_in[rows] == STORE
    )
    calls = people.has_phone[persons] & (basket.placed_in[rows] == PHONE)
    names = [None, "store_purchase", "phone_order"]
    return sheet(
        "offline_conversions",
        "jsonl.zst",
        week(ordered_at[rows] // DAY, history.calendar.days),
        {
            "conversion_id": [f"X{ids[row][1:]}" for row in rows.tolist()],
            "converted_at": moments(history.calendar.start, ordered_at[rows], "epoch"),
            "conversion_type": [names[kind] for kind in basket.placed_in[rows].tolist()],
            "user_id": [
                people.user_id(person) if card else None
                for person, card in zip(persons.tolist(), carries.tolist(), strict=True)
            ],
            "phone": [
                f"+{people.phone(person)}" if call else None
                for person, call in zip(persons.tolist(), calls.tolist(), strict=True)
            ],
            "email": [
                None if card or call else people.email(person)
                for person, card, call in zip(
                    persons.tolist(), carries.tolist(), calls.tolist(), strict=True
                )
            ],
            "value": money(basket.revenue[rows]),
            "currency": ["EUR" if euro else "USD" for euro in basket.is_euro[rows].tolist()],
        },
        ordered_at[rows],
    )


def products(history: History) -> Sheet:
    """The products, once."""
    skus = product_ids()
    categories = [CATEGORIES[row // PRODUCTS_PER_CATEGORY] for row in range(len(skus))]
    return sheet(
        "products",
        "parquet",
        np.zeros(len(skus), np.int64),
        {
            "product_id": skus,
            "name": [
                f"{_BRANDS[row % len(_BRANDS)]} {category} {row % PRODUCTS_PER_CATEGORY + 1}"
                for row, category in enumerate(categories)
            ],
            "category": categories,
            "brand": [_BRANDS[row % len(_BRANDS)] for row in range(len(skus))],
            "price": history.products.price.tolist(),
        },
    )


def campaigns(history: History) -> Sheet:
    """The campaigns of each month, on its first day; printed mail counts for three weeks longer."""
    calendar = history.calendar
    starts, ends = [], []
    for year, month in calendar.months:
        starts.append(dt.date(year, month, 1))
        ends.append(dt.date(year + month // 12, month % 12 + 1, 1))
    columns: dict[str, list[object]] = {
        name: []
        for name in ("campaign_id", "name", "channel", "tactic", "is_personalized", "started_at",
                     "ended_at", "objective", "eligible_until")
    }  # fmt: skip
    days = []
    for number, campaign in enumerate(campaign_ids(calendar)):
        program = PROGRAMS[number // len(calendar.months)]
        month = number % len(calendar.months)
        until = ends[month] + dt.timedelta(21) if program.channel == "direct_mail" else None
        values = (
            campaign,
            f"{program.name.replace('-', ' ').capitalize()} {starts[month]:%B %Y}",
            program.channel,
            program.tactic,
            program.is_personalized,
            starts[month].isoformat(),
            ends[month].isoformat(),
            program.objective,
            until.isoformat() if until else None,
        )
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
        days.append(max((starts[month] - calendar.start).days, 0))
    return sheet("campaigns", "json", np.array(days), columns)


def ad_spend(history: History) -> Sheet:
    """What contents cost per day, exported weekly; affiliates are paid in EUR."""
    contacts, calendar, visited = history.contacts, history.calendar, history.visits
    campaign, content = campaign_ids(calendar), content_ids(calendar)
    costs = np.array([[item.cost_per_thousand, item.cost_per_click] for item in PROGRAMS])
    through = np.array([item.channel for item in PROGRAMS])
    shown = np.where(contacts.seen_at < NEVER, contacts.seen_at, contacts.sent_at)
    sent = np.where(contacts.sent_at < NEVER, contacts.sent_at, shown)
    is_ad = np.isin(through[contacts.program], ["display", "paid_social", "video"])
    size = len(content) * calendar.days

    def count(number: np.ndarray, time: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Weight of what happened, by content and day."""
        is_in = time < history.end
        index = number[is_in] * calendar.days + time[is_in] // DAY
        return np.bincount(index, weight[is_in], size)

    weight = np.where(is_ad, 1.0 + _STRANGERS, 1.0)
    impressions = count(contacts.content, np.where(is_ad, shown, sent), weight)
    clicks = count(contacts.content, contacts.clicked_at, np.ones(len(contacts)))
    bought = np.isin(visited.program, [PROGRAM["search"], PROGRAM["affiliate"]])
    clicks += count(visited.content[bought], visited.time[bought], np.ones(bought.sum()))
    number, day = np.divmod(np.arange(size), calendar.days)
    program = number // CONTENTS_PER_CAMPAIGN // len(calendar.months)
    cost = impressions / 1000 * costs[program, 0] + clicks * costs[program, 1]
    rows = np.flatnonzero(cost > 0)
    day, number = day[rows], number[rows]
    dates = [(calendar.start + dt.timedelta(later)).isoformat() for later in range(calendar.days)]
    channels = through[program[rows]].tolist()
    return sheet(
        "ad_spend",
        "csv.zst",
        week(day, calendar.days),
        {
            "date": [dates[later] for later in day.tolist()],
            "channel": channels,
            "campaign_id": [campaign[row] for row in (number // CONTENTS_PER_CAMPAIGN).tolist()],
            "content_id": [content[row] for row in number.tolist()],
            "spend": [f"{value:.4f}" for value in cost[rows].tolist()],
            "currency": ["EUR" if channel == "affiliate" else "USD" for channel in channels],
            "impressions": impressions[rows].astype(np.int64).tolist(),
            "clicks": clicks[rows].astype(np.int64).tolist(),
        },
        day,
    )


def exchange_rates(history: History) -> Sheet:
    """USD for one EUR: the rates of each week, fixed on its first day."""
    calendar = history.calendar
    day = np.arange(calendar.days)
    return sheet(
        "exchange_rates",
        "csv",
        day // 7 * 7,
        {
            "date": [
                (calendar.start + dt.timedelta(number)).isoformat() for number in day.tolist()
            ],
            "currency": ["EUR"] * calendar.days,
            "rate_to_usd": [f"{rate:.4f}" for rate in history.rates.tolist()],
        },
    )
