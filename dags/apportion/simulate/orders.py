"""Orders: what is in them, what they are worth, what becomes of them, and when they are made.

All is a function of person and step: an order that happens in two scenarios is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from apportion.simulate.draws import Draws, pick, uniform
from apportion.simulate.messages import Contacts
from apportion.simulate.people import NEVER, People
from apportion.simulate.shop import (
    CHANNELS,
    DAY,
    PLACES,
    SEGMENTS,
    STEP,
    STEPS_PER_DAY,
    Products,
)
from apportion.simulate.visits import Trail, Visits

MAX_LINES = 4
COST_SHARE = 0.55
FREE_SHIPPING_FROM = 50.0
SHIPPING = 4.90
WEB, STORE, PHONE = range(3)
PLACED_IN = ("web", "store", "phone")


@dataclass
class Baskets:
    """What orders are worth; arrays of n, money in the currency of the order and to the cent.

    Attributes:
        lines: how many lines an order has, at most MAX_LINES.
        product, quantity: (n, MAX_LINES); -1 and 0 past the last line.
        unit_price: (n, MAX_LINES).
        is_euro: whether it is paid in EUR, else in USD.
        discount, revenue, shipping, cost: revenue is what the lines cost less the discount.
        placed_in: WEB, STORE or PHONE.
        is_cancelled: whether it is cancelled a day or two later.
        cancelled_after: milliseconds until then.
        refund: amount that is given back; 0: none.
        refunded_after: milliseconds from the order to the refund.
    """

    lines: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    unit_price: np.ndarray
    is_euro: np.ndarray
    discount: np.ndarray
    revenue: np.ndarray
    shipping: np.ndarray
    cost: np.ndarray
    placed_in: np.ndarray
    is_cancelled: np.ndarray
    cancelled_after: np.ndarray
    refund: np.ndarray
    refunded_after: np.ndarray


Columns = TypeVar("Columns", "Baskets", "Placements")


def take(columns: Columns, rows: np.ndarray) -> Columns:
    """Some of the orders, by number."""
    return type(columns)(
        **{item.name: getattr(columns, item.name)[rows] for item in fields(columns)}
    )


def baskets(
    draws: Draws,
    people: People,
    products: Products,
    wanting: np.ndarray,
    person: np.ndarray,
    step: np.ndarray,
) -> Baskets:
    """The baskets of orders of persons in steps; the same person and step give the same basket.

    Args:
        draws: the seed's streams.
        people, products, wanting: the shop.
        person, step: the orders.
    """
    count, purpose = len(person), iter(range(1, 100))

    def chance() -> np.ndarray:
        return uniform(draws.key("orders", next(purpose)), person, step)

    segment = people.segment[person]
    factor = np.array([kind.basket for kind in SEGMENTS])[segment]
    lines = 1 + pick(np.array([0.50, 0.78, 0.92, 1.0]), chance() ** (1 / factor))
    tastes = np.array([kind.tastes for kind in SEGMENTS])
    tastes = np.cumsum(tastes / tastes.sum(axis=1, keepdims=True), axis=1)[segment]
    wanted = wanting[person, step // STEPS_PER_DAY]
    product = np.full((count, MAX_LINES), -1, np.int32)
    quantity = np.zeros((count, MAX_LINES), np.int64)
    for line in range(MAX_LINES):
        category = pick(tastes, chance())
        if line == 0:
            category = np.where(wanted >= 0, wanted, category)
        product[:, line] = products.choose(category, chance())
        quantity[:, line] = np.where(chance() < 0.12, 2, 1)
    is_line = np.arange(MAX_LINES) < lines[:, None]
    product = np.where(is_line, product, -1)
    quantity = np.where(is_line, quantity, 0)

    is_euro = np.array([place.currency == "EUR" for place in PLACES])[people.place[person]]
    rate = np.where(is_euro, 0.92, 1.0)
    unit_price = np.where(is_line, products.price[np.maximum(product, 0)] * rate[:, None], 0.0)
    unit_price = unit_price.round(2)
    gross = (unit_price * quantity).sum(axis=1)
    has_coupon = chance() < np.array([kind.coupons for kind in SEGMENTS])[segment]
    share = np.array([0.10, 0.15, 0.20])[pick(np.array([0.5, 0.8, 1.0]), chance())]
    discount = np.where(has_coupon, gross * share, 0.0).round(2)
    revenue = (gross - discount).round(2)
    placed_in = pick(np.array([0.92, 0.97, 1.0]), chance())
    is_cancelled = (chance() < 0.03) & (placed_in == WEB)
    is_refunded = (chance() < 0.06) & ~is_cancelled & (placed_in == WEB)
    part = np.where(chance() < 0.6, 1.0, 0.4)
    return Baskets(
        lines=lines,
        product=product,
        quantity=quantity,
        unit_price=unit_price,
        is_euro=is_euro,
        discount=discount,
        revenue=revenue,
        shipping=np.where(gross < FREE_SHIPPING_FROM, SHIPPING, 0.0),
        cost=(gross * COST_SHARE).round(2),
        placed_in=placed_in,
        is_cancelled=is_cancelled,
        cancelled_after=((0.2 + 2.5 * chance()) * DAY).astype(np.int64),
        refund=np.where(is_refunded, revenue * part, 0.0).round(2),
        refunded_after=((2.0 + 18.0 * chance()) * DAY).astype(np.int64),
    )


def net_revenue(basket: Baskets, ordered_at: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """USD that is kept of each order by the end of the history: nothing of a cancelled one.

    Args:
        basket: the orders.
        ordered_at: milliseconds.
        rates: (days) USD for one EUR.
    """
    end = len(rates) * DAY
    rate = np.where(basket.is_euro, rates[ordered_at // DAY], 1.0)
    refund = np.where(ordered_at + basket.refunded_after < end, basket.refund, 0.0)
    is_cancelled = basket.is_cancelled & (ordered_at + basket.cancelled_after < end)
    kept = (basket.revenue * rate).round(4) - (refund * rate).round(4)
    return np.where(is_cancelled, 0.0, kept)


def is_counted(basket: Baskets, ordered_at: np.ndarray, end: int) -> np.ndarray:
    """Whether an order is a conversion by the end: a cancelled one is none."""
    return ~(basket.is_cancelled & (ordered_at + basket.cancelled_after < end))


@dataclass
class Placements:
    """When and where orders are made; arrays of n.

    Attributes:
        ordered_at: milliseconds, after every touch of its step.
        visit: number of the visit that it ends; -1: a visit of its own, or none (store, phone).
        opens_at: when its own visit begins; NEVER: it has none.
        channel: number into CHANNELS of its own visit.
        cart_at: when the first line is put into the cart.
    """

    ordered_at: np.ndarray
    visit: np.ndarray
    opens_at: np.ndarray
    channel: np.ndarray
    cart_at: np.ndarray


def place(
    draws: Draws,
    people: People,
    person: np.ndarray,
    step: np.ndarray,
    basket: Baskets,
    visits: Visits,
    trails: Trail,
    contacts: Contacts,
) -> Placements:
    """Give each order a moment after every touch of its step, if possible at the end of a visit.

    Args:
        draws: the seed's streams.
        people: who.
        person, step: the orders.
        basket: what is in them.
        visits, trails: all visits, and their events.
        contacts: all messages that happened.
    """
    steps = np.int64(step.max() + 2 if len(step) else 1)
    key = person * steps + step
    visit_key = visits.person * steps + visits.step
    in_range = visits.step < steps
    order = np.lexsort((trails.ends_at, visit_key))
    order = order[in_range[order]]
    last = np.searchsorted(visit_key[order], key, side="right") - 1
    has_visit = (
        (last >= 0) & (visit_key[order][np.maximum(last, 0)] == key)
        if len(order)
        else (np.zeros(len(key), bool))
    )
    visit = np.where(has_visit, order[np.maximum(last, 0)] if len(order) else 0, 0)
    left_at = np.where(has_visit, trails.ends_at[visit] if len(visits) else 0, -1)

    touched = np.maximum(
        np.where(contacts.seen_at < NEVER, contacts.seen_at, -1),
        np.where(contacts.clicked_at < NEVER, contacts.clicked_at, -1),
    )
    is_used = (touched >= 0) & (contacts.step < steps)
    touch_key = (contacts.person * steps + contacts.step)[is_used]
    touch_order = np.lexsort((touched[is_used], touch_key))
    last_touch = np.full(len(key), -1, np.int64)
    if len(touch_order):
        found = np.searchsorted(touch_key[touch_order], key, side="right") - 1
        is_same = (found >= 0) & (touch_key[touch_order][np.maximum(found, 0)] == key)
        last_touch = np.where(is_same, touched[is_used][touch_order][np.maximum(found, 0)], -1)

    begins = people.offset[person] + step * np.int64(STEP)
    chances = [uniform(draws.key("orders", purpose), person, step) for purpose in range(40, 44)]
    is_web = basket.placed_in == WEB
    # On-site messages may come up to some seconds after the last event of a short visit.
    ends_visit = is_web & has_visit & (last_touch <= left_at + 10_000) & (chances[0] < 0.8)
    free = np.maximum(np.maximum(left_at, last_touch) + 60_000, begins + 1_000)
    closes = begins + STEP - 900_000
    opens_at = free + (chances[1] * np.maximum(closes - free, 1_000)).astype(np.int64)
    shopping = 60_000 + (chances[2] * 240_000).astype(np.int64)
    cart_at = np.where(ends_visit, left_at + 15_000, opens_at + shopping)
    return Placements(
        ordered_at=np.where(
            is_web, cart_at + 90_000 + (chances[3] * 180_000).astype(np.int64), opens_at
        ),
        visit=np.where(ends_visit, visit, -1),
        opens_at=np.where(is_web & ~ends_visit, opens_at, NEVER),
        channel=np.where(
            uniform(draws.key("orders", 45), person, step) < 0.65,
            CHANNELS.index("direct"),
            CHANNELS.index("organic_search"),
        ),
        cart_at=cart_at,
    )
