"""One history of the shop: from people to orders and events, as columns of numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from apportion.simulate import events, hazard, messages, orders, visits
from apportion.simulate.draws import Draws, uniform
from apportion.simulate.people import NEVER, People, draw_people
from apportion.simulate.shop import (
    CONTENTS_PER_CAMPAIGN,
    DAY,
    PROGRAM,
    PROGRAMS,
    Products,
    daily_rates,
    season,
)
from apportion.simulate.worlds import World

_TIME = np.int64(1) << 42
_OFFER_DAYS = 30


@dataclass
class History:
    """What happened in one world; the columns of people, visits and orders are by number.

    Attributes:
        world, draws, calendar, people, products: the shop.
        rates: (days) USD for one EUR.
        known_since, account_since: (people) when the e-mail address was known, the account began.
        met_at: (people) first visit or, for accounts from before the start, the start; NEVER: not.
        met_anonymous: (people) anonymous id of the first visit; -1: none.
        visits: all visits.
        contacts: all messages that happened.
        scenarios, outcome: what the hazard was asked, and said.
        order_key: (orders of any scenario) person and step as one number, sorted.
        baskets, placements: of those.
        made: numbers of the orders that were made in the world as it is, by time.
        order_person, order_device, order_anonymous, logs_in, offer: (made) who, on what, whether
            logged in, and the content of the offer that was redeemed (-1: none).
        events: what is told.
        bots: how many robots.
    """

    world: World
    draws: Draws
    calendar: messages.Calendar
    people: People
    products: Products
    rates: np.ndarray
    known_since: np.ndarray
    account_since: np.ndarray
    met_at: np.ndarray
    met_anonymous: np.ndarray
    visits: visits.Visits
    contacts: messages.Contacts
    touches: hazard.Exposures
    wanting: np.ndarray
    season: np.ndarray
    scenarios: list[hazard.Scenario]
    outcome: hazard.Outcome
    order_key: np.ndarray
    baskets: orders.Baskets
    placements: orders.Placements
    made: np.ndarray
    order_person: np.ndarray
    order_device: np.ndarray
    order_anonymous: np.ndarray
    logs_in: np.ndarray
    offer: np.ndarray
    events: events.Events
    bots: int

    @property
    def end(self) -> int:
        """Exclusive end of the history, in milliseconds."""
        return self.calendar.days * DAY

    def keys(self, person: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Rows of order_key of orders by person and step."""
        return np.searchsorted(self.order_key, order_keys(self.calendar, person, step))


def order_keys(calendar: messages.Calendar, person: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Person and step as one number."""
    return np.asarray(person, np.int64) * calendar.steps + step


def build(world: World, users: int, days: int, seed: int, start: dt.date) -> History:
    """Let a shop happen.

    Args:
        world: its parameters.
        users: how many people.
        days: how many days.
        seed: of all randomness.
        start: first day.
    """
    draws = Draws(seed)
    calendar = messages.Calendar(start, days)
    people = draw_people(world, draws, users, days)
    spending = draws.stream("spend")
    products, rates = Products.draw(spending), daily_rates(spending, days)
    swing = season(world.season, start, days)
    wanting = visits.draw_wanting(draws, people, swing)

    own = visits.Visits.concatenate(
        [visits.own_visits(world, draws, people, products, wanting, swing)]
    )
    ads = own.program >= 0
    own.content[ads] = calendar.content(own.program[ads].astype(np.int64), own.time[ads], 0)
    account_since, news_since = visits.sign_up(people, own)
    known_since = np.minimum(account_since, news_since)
    met_at, met_anonymous = _meet(people, own, account_since)
    asked_at = np.where(met_at < NEVER, met_at + 60_000, NEVER)
    people.withdraws_at = np.maximum(people.withdraws_at, asked_at[:, None])

    own_trails = visits.trail(draws, own)
    senders = messages.Senders(
        world,
        people,
        calendar,
        wanting,
        swing,
        known_since,
        account_since,
        draws.stream("messages"),
    )
    outside = messages.outside_messages(senders, own, own_trails)
    person, time, step, channel, program, content = messages.clicked_visits(outside)
    clicked = visits.furnish(
        draws.stream("clicked_visits"),
        people, products, wanting, person, time, step, channel, program, content,
    )  # fmt: skip
    visited = visits.Visits.concatenate([own, clicked])
    trails = visits.trail(draws, visited)
    site = messages.on_site_messages(world, draws, people, calendar, visited, trails)
    contacts = messages.Contacts.concatenate([outside, site])

    touches = hazard.exposures(contacts, visited)
    contacts = contacts.take(~contacts.is_held_out)
    asked = hazard.scenarios()
    outcome = hazard.run(world, draws, people, wanting, swing, touches, asked)
    every = np.unique(
        np.concatenate([order_keys(calendar, o.person, o.step) for o in outcome.orders])
    )
    person, step = every // calendar.steps, every % calendar.steps
    basket = orders.baskets(draws, people, products, wanting, person, step)
    placed = orders.place(draws, people, person, step, basket, visited, trails, contacts)
    real = outcome.orders[0]
    made = np.searchsorted(every, order_keys(calendar, real.person, real.step))
    made = made[np.argsort(placed.ordered_at[made], kind="stable")]

    basket_made, placed_made = orders.take(basket, made), orders.take(placed, made)
    buyer = person[made]
    device = np.where(
        placed_made.visit >= 0,
        visited.device[np.maximum(placed_made.visit, 0)] if len(visited) else 0,
        people.first_device[buyer],
    )
    anonymous = people.anonymous_id(device, placed_made.ordered_at)
    chance = uniform(draws.key("orders", 50), buyer, step[made])
    logs_in = (account_since[buyer] < placed_made.ordered_at) & (chance < 0.92)
    offer = _offers(contacts, buyer, placed_made.ordered_at, basket_made.discount > 0)

    is_logged_in = events.logged_in(world, draws, people, visited, account_since)
    told = events.concatenate(
        [
            events.of_visits(draws, people, products, visited, trails, is_logged_in),
            events.of_contacts(draws, people, contacts, visited, is_logged_in, account_since),
            *events.of_orders(
                people, visited, buyer, basket_made, placed_made, device, anonymous, logs_in, offer
            ),
        ]
    )
    told = told.take(told.time < days * DAY)
    robots, bots = events.of_bots(draws, people, days, len(told))
    return History(
        world=world,
        draws=draws,
        calendar=calendar,
        people=people,
        products=products,
        rates=rates,
        known_since=known_since,
        account_since=account_since,
        met_at=met_at,
        met_anonymous=met_anonymous,
        visits=visited,
        contacts=contacts,
        touches=touches,
        wanting=wanting,
        season=swing,
        scenarios=asked,
        outcome=outcome,
        order_key=every,
        baskets=basket,
        placements=placed,
        made=made,
        order_person=buyer,
        order_device=device,
        order_anonymous=anonymous,
        logs_in=logs_in,
        offer=offer,
        events=events.concatenate([told, robots]),
        bots=bots,
    )


def _meet(
    people: People, own: visits.Visits, account_since: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """When each person is first met and can be asked for consent, and on which anonymous id."""
    met_at = np.full(len(people), NEVER)
    anonymous = np.full(len(people), -1, np.int32)
    person, first = np.unique(own.person, return_index=True)
    met_at[person] = own.time[first]
    anonymous[person] = own.anonymous[first]
    is_older = account_since < 0
    met_at[is_older] = people.offset[is_older]
    anonymous[is_older] = -1
    return met_at, anonymous


def _offers(
    contacts: messages.Contacts, person: np.ndarray, time: np.ndarray, is_discounted: np.ndarray
) -> np.ndarray:
    """Content of the latest offer that each discounted order's person saw in 30 days; -1: none."""
    kinds = ["site-coupon", "site-offer", "sms-offer", "push-offer", "mailing", "mailing-offer"]
    numbers = [PROGRAM[kind] for kind in kinds]
    seen = np.minimum(contacts.seen_at, contacts.clicked_at)
    rows = np.flatnonzero(np.isin(contacts.program, numbers) & (seen < NEVER))
    key = contacts.person[rows] * _TIME + seen[rows]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    if not len(rows):
        return np.full(len(person), -1, np.int32)
    last = np.searchsorted(key, person * _TIME + time, side="right") - 1
    row = rows[np.maximum(last, 0)]
    is_there = (last >= 0) & (contacts.person[row] == person)
    is_there &= time - seen[row] <= _OFFER_DAYS * DAY
    return np.where(is_there & is_discounted, contacts.content[row], -1)


def campaign_ids(calendar: messages.Calendar) -> list[str]:
    """Id of every campaign: number = program * months + month."""
    return [
        f"{program.name}-{year}-{month:02d}"
        for program in PROGRAMS
        for year, month in calendar.months
    ]


def content_ids(calendar: messages.Calendar) -> list[str]:
    """Id of every content: number = campaign * CONTENTS_PER_CAMPAIGN + variant."""
    return [
        f"{campaign}-{'abc'[variant]}"
        for campaign in campaign_ids(calendar)
        for variant in range(CONTENTS_PER_CAMPAIGN)
    ]
