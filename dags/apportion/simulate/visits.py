"""Visits of the site: who comes of their own accord, what they look at, and the events of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from apportion.simulate.draws import Draws, pick, uniform
from apportion.simulate.people import NEVER, People
from apportion.simulate.shop import (
    CATEGORIES,
    CHANNELS,
    DAY,
    PROGRAM,
    SEGMENTS,
    STEP,
    STEPS_PER_DAY,
    Products,
)
from apportion.simulate.worlds import World

WANTING_PER_DAY = 1 / 40
"""Chance that a person begins to want something on a day."""

_VISITS_WHEN_WANTING = 6.0
_BLOCK = 20_000

PAGE, SEARCH, PRODUCT, CART, CHECKOUT, ORDER, SIGN_UP, LEAD, SUPPORT, REMOVE = range(10)
"""Kinds of the events of a visit."""


def draw_wanting(draws: Draws, people: People, season: np.ndarray) -> np.ndarray:
    """The category that each person wants to buy from on each day; -1: nothing.

    Episodes of wanting begin at random, more of them in season, and last four days on average.

    Returns:
        (people, days) category numbers.
    """
    draw = draws.stream("intent")
    days = len(season)
    wanting = np.full((len(people), days), -1, np.int8)
    count = draw.poisson(WANTING_PER_DAY * season.sum() * len(people))
    person = draw.integers(0, max(len(people), 1), count)
    day = pick(np.cumsum(season / season.sum()), draw.random(count))
    length = np.minimum(draw.geometric(0.25, count), 10)
    tastes = np.array([kind.tastes for kind in SEGMENTS])
    tastes = np.cumsum(tastes / tastes.sum(axis=1, keepdims=True), axis=1)
    category = pick(tastes[people.segment[person]], draw.random(count))
    for later in range(10):
        is_on = (length > later) & (day + later < days)
        wanting[person[is_on], day[is_on] + later] = category[is_on]
    wanting[np.arange(days) * DAY + DAY <= people.arrives_at[:, None]] = -1
    return wanting


@dataclass
class Visits:
    """Visits of the site; arrays of n.

    Attributes:
        person, time, step: who, when it begins (milliseconds), in which step.
        channel: number into CHANNELS of what brought them.
        program: number into PROGRAMS of the message that brought them; -1: none did.
        content: number of the content that was clicked; -1: none.
        device, anonymous: number of the device and of its anonymous id.
        is_wanting: whether they want to buy something on that day.
        product: number of the product that they look at first.
        searches, products, pages, carts, removals, checkouts, extras: how many events of each kind.
        extra_kind: SIGN_UP, LEAD or SUPPORT, where extras is 1.
    """

    person: np.ndarray
    time: np.ndarray
    step: np.ndarray
    channel: np.ndarray
    program: np.ndarray
    content: np.ndarray
    device: np.ndarray
    anonymous: np.ndarray
    is_wanting: np.ndarray
    product: np.ndarray
    searches: np.ndarray
    products: np.ndarray
    pages: np.ndarray
    carts: np.ndarray
    removals: np.ndarray
    checkouts: np.ndarray
    extras: np.ndarray
    extra_kind: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> Visits:
        """Some of them, by number or by a mask."""
        return Visits(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @classmethod
    def concatenate(cls, parts: list[Visits]) -> Visits:
        """All of them, by person and time."""
        whole = cls(
            **{
                item.name: np.concatenate([getattr(part, item.name) for part in parts])
                for item in fields(cls)
            }
        )
        return whole.take(np.lexsort((whole.time, whole.person)))


def own_visits(
    world: World,
    draws: Draws,
    people: People,
    products: Products,
    wanting: np.ndarray,
    season: np.ndarray,
) -> Visits:
    """Visits that no message of the shop brings, and those from search ads and affiliates.

    The number of a day is Poisson: the segment's rate, six more times it when wanting something.
    """
    draw = draws.stream("visits")
    rate = np.array([kind.visits for kind in SEGMENTS])[people.segment]
    days = np.arange(len(season))
    persons, whens = [], []
    for first in range(0, len(people), _BLOCK):
        block = slice(first, first + _BLOCK)
        expected = (
            rate[block, None]
            * (1.0 + _VISITS_WHEN_WANTING * (wanting[block] >= 0))
            * np.sqrt(season)
            * (days * DAY >= people.arrives_at[block, None])
        )
        counts = draw.poisson(expected)
        person, day = np.nonzero(counts)
        repeats = counts[person, day]
        persons.append(np.repeat(person + first, repeats))
        whens.append(np.repeat(day, repeats))
    person, day = np.concatenate(persons), np.concatenate(whens)
    step = day * STEPS_PER_DAY + pick(
        np.cumsum(people.step_share, axis=1)[person], draw.random(len(person))
    )
    within = (draw.random(len(person)) * (STEP - 2_400_000)).astype(np.int64)
    time = people.offset[person] + step * STEP + within
    is_kept = step < len(season) * STEPS_PER_DAY - 1
    person, step, time, day = person[is_kept], step[is_kept], time[is_kept], day[is_kept]

    is_wanting = wanting[person, day] >= 0
    is_bargain = people.segment[person] == 0
    # direct, organic search, organic social, referral, search ad, affiliate
    sources = np.array([[0.46, 0.26, 0.11, 0.08, 0.06, 0.03], [0.36, 0.28, 0.05, 0.06, 0.20, 0.05]])
    sources = np.stack([sources, sources], axis=1)
    sources[:, 1, 5] += 0.07
    sources[:, 1, 0] -= 0.07
    source = pick(
        np.cumsum(sources, axis=2)[is_wanting.astype(int), is_bargain.astype(int)],
        draw.random(len(person)),
    )
    names = ("direct", "organic_search", "organic_social", "referral", "paid_search", "affiliate")
    channel = np.array([CHANNELS.index(name) for name in names])[source]
    program = np.array([-1, -1, -1, -1, PROGRAM["search"], PROGRAM["affiliate"]])[source]
    return furnish(draw, people, products, wanting, person, time, step, channel, program)


def furnish(
    draw: np.random.Generator,
    people: People,
    products: Products,
    wanting: np.ndarray,
    person: np.ndarray,
    time: np.ndarray,
    step: np.ndarray,
    channel: np.ndarray,
    program: np.ndarray,
    content: np.ndarray | None = None,
) -> Visits:
    """Visits with a device, and with what is done in them: more when wanting something."""
    count = len(person)
    device = people.first_device[person]
    second = draw.random(count) < 0.35
    device = np.where(
        second,
        device + (draw.random(count) * people.device_count[person]).astype(np.int64),
        device,
    )
    host = people.guest_of[person]
    is_guest = (host >= 0) & (draw.random(count) < 0.2)
    device = np.where(is_guest, people.first_device[np.maximum(host, 0)], device)

    category = wanting[person, np.minimum(step // STEPS_PER_DAY, wanting.shape[1] - 1)]
    is_wanting = category >= 0
    other = draw.integers(0, len(CATEGORIES), count)
    category = np.where(is_wanting, category, other)
    carts = draw.random(count) < np.where(is_wanting, 0.20, 0.04)
    return Visits(
        person=person,
        time=time,
        step=step.astype(np.int32),
        channel=channel.astype(np.int8),
        program=program.astype(np.int8),
        content=np.full(count, -1, np.int32) if content is None else content.astype(np.int32),
        device=device,
        anonymous=people.anonymous_id(device, time),
        is_wanting=is_wanting,
        product=products.choose(category, draw.random(count)),
        searches=(draw.random(count) < 0.15).astype(np.int8),
        products=np.minimum(draw.poisson(np.where(is_wanting, 2.2, 0.8)) + carts, 4).astype(
            np.int8
        ),
        pages=np.minimum(draw.poisson(0.7, count), 4).astype(np.int8),
        carts=carts.astype(np.int8),
        removals=(carts & (draw.random(count) < 0.1)).astype(np.int8),
        checkouts=(carts & (draw.random(count) < 0.3)).astype(np.int8),
        extras=(draw.random(count) < 0.004).astype(np.int8),
        extra_kind=np.full(count, SUPPORT, np.int8),
    )


def sign_up(people: People, visits: Visits) -> tuple[np.ndarray, np.ndarray]:
    """Turn the first visit after each person's wish into a sign-up, or a subscription to the news.

    Changes `visits` (sorted by person and time).

    Returns:
        when each person's account and subscription began; -1: before the start; NEVER: not at all.
    """
    begun = []
    order = visits.person * (np.int64(1) << 42) + visits.time
    for wish, kind in ((people.wants_account_at, SIGN_UP), (people.wants_news_at, LEAD)):
        person = np.flatnonzero((wish >= 0) & (wish < NEVER))
        first = np.searchsorted(order, person * (np.int64(1) << 42) + wish[person])
        is_there = first < len(visits)
        is_there &= visits.person[np.minimum(first, max(len(visits) - 1, 0))] == person
        person, first = person[is_there], first[is_there]
        visits.extras[first] = 1
        visits.extra_kind[first] = kind
        since = np.where(wish < 0, np.int64(-1), NEVER)
        since[person] = visits.time[first]
        begun.append(since)
    return begun[0], begun[1]


@dataclass
class Trail:
    """The events of visits, one after another; arrays of n.

    Attributes:
        visit: number of the visit.
        kind: PAGE ... REMOVE.
        number: place within the visit, 0 is the landing.
        time: milliseconds.
        engagement: seconds until the next.
        first_product_at: (visits) when the first product is looked at; NEVER: none is.
        ends_at: (visits) time of the last event.
    """

    visit: np.ndarray
    kind: np.ndarray
    number: np.ndarray
    time: np.ndarray
    engagement: np.ndarray
    first_product_at: np.ndarray
    ends_at: np.ndarray


def trail(draws: Draws, visits: Visits) -> Trail:
    """What happens in visits: landing, searches, products, pages, cart, checkout, sign-up.

    Events are 8 to 100 seconds apart, so a visit is over within 22 minutes.
    """
    parts = np.stack(
        [
            np.ones(len(visits), np.int64),
            visits.searches,
            visits.products,
            visits.pages,
            visits.carts,
            visits.removals,
            visits.checkouts,
            visits.extras,
        ],
        axis=1,
    )
    kinds = np.array([PAGE, SEARCH, PRODUCT, PAGE, CART, REMOVE, CHECKOUT, SUPPORT])
    ends = np.cumsum(parts, axis=1)
    counts = ends[:, -1]
    visit = np.repeat(np.arange(len(visits)), counts)
    first = np.cumsum(counts) - counts
    number = np.arange(len(visit)) - first[visit]
    part = (number[:, None] >= ends[visit]).sum(axis=1)
    kind = kinds[part]
    kind = np.where(part == 7, visits.extra_kind[visit], kind)
    # By person and time: a visit has the same trail whichever others are given beside it.
    chance = uniform(draws.key("visits", 1), visits.person[visit], visits.time[visit], number)
    gaps = (8_000 + 92_000 * chance**2).astype(np.int64)
    total = np.cumsum(gaps) - gaps
    time = visits.time[visit] + total - total[first[visit]]
    last = first + counts - 1
    first_product = first + ends[:, 1]
    has_product = visits.products > 0
    return Trail(
        visit=visit,
        kind=kind.astype(np.int8),
        number=number.astype(np.int16),
        time=time,
        engagement=(gaps / 1000).round(1),
        first_product_at=np.where(
            has_product, time[np.minimum(first_product, max(len(time) - 1, 0))], NEVER
        ),
        ends_at=time[last] if len(time) else np.zeros(0, np.int64),
    )
