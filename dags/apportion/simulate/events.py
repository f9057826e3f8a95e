"""The events of the shop as columns of numbers; `lines` writes them out."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from apportion.simulate.draws import Draws, uniform
from apportion.simulate.messages import Contacts
from apportion.simulate.orders import WEB, Baskets, Placements
from apportion.simulate.people import APP, NEVER, People
from apportion.simulate.shop import (
    CATEGORIES,
    DAY,
    PLACES,
    PRODUCTS_PER_CATEGORY,
    PROGRAM,
    PROGRAMS,
    Products,
)
from apportion.simulate.visits import (
    CART,
    CHECKOUT,
    LEAD,
    ORDER,
    PAGE,
    PRODUCT,
    REMOVE,
    SEARCH,
    SIGN_UP,
    SUPPORT,
    Trail,
    Visits,
)
from apportion.simulate.worlds import World

_OF_VISITS = {
    PAGE: "page_viewed",
    SEARCH: "search_performed",
    PRODUCT: "product_viewed",
    CART: "added_to_cart",
    CHECKOUT: "checkout_started",
    ORDER: "order_completed",
    SIGN_UP: "signed_up",
    LEAD: "lead_submitted",
    SUPPORT: "support_contacted",
    REMOVE: "removed_from_cart",
}
NAMES = (
    *_OF_VISITS.values(),
    *sorted({name for program in PROGRAMS for name in program.events if name}),
    "offer_redeemed",
)
"""Every name of an event."""

PAGES = (
    "/",
    "/search",
    "/cart",
    "/checkout",
    "/thanks",
    "/account",
    "/newsletter",
    "/help",
    *(f"/{category}" for category in CATEGORIES),
)
"""Pages that are no product; the page of product p is number len(PAGES) + p."""

OWN_ORIGINS = ("", "https://www.google.com/", "https://www.instagram.com/", "https://blog.example/")
"""Referrer of a visit without a campaign, by channel; the origin of content c is len + c."""

BOTS_PER_PERSON = 1 / 400


@dataclass
class Events:
    """Events; arrays of n, -1 (nan for numbers with a fraction) where there is nothing to say.

    Attributes:
        time: milliseconds.
        person: who; -1: a robot.
        anonymous: number of the anonymous id; robots' come after all of the people's.
        name: number into NAMES.
        has_user, has_email, has_phone: which identifiers of the person it carries.
        page: number into PAGES or of a product's page.
        origin: number of what brought the visit in.
        content: number of the content of a message.
        product: number of the product.
        order: number of the order, by row of the orders.
        quantity, value: of a product or an order; value in the person's currency.
        engagement, scroll: seconds; share of the page.
        session: number of the visit, where the source says so (the app).
        is_consented: 1, 0 or -1.
        is_search_click: carries a click id of a search ad.
    """

    time: np.ndarray
    person: np.ndarray
    anonymous: np.ndarray
    name: np.ndarray
    has_user: np.ndarray
    has_email: np.ndarray
    has_phone: np.ndarray
    page: np.ndarray
    origin: np.ndarray
    content: np.ndarray
    product: np.ndarray
    order: np.ndarray
    quantity: np.ndarray
    value: np.ndarray
    engagement: np.ndarray
    scroll: np.ndarray
    session: np.ndarray
    is_consented: np.ndarray
    is_search_click: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: np.ndarray) -> Events:
        """Some of them, by number or by a mask."""
        return Events(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


_DEFAULTS = {
    "anonymous": (np.int32, -1),
    "has_user": (bool, False),
    "has_email": (bool, False),
    "has_phone": (bool, False),
    "page": (np.int32, -1),
    "origin": (np.int32, -1),
    "content": (np.int32, -1),
    "product": (np.int32, -1),
    "order": (np.int32, -1),
    "quantity": (np.int16, -1),
    "value": (np.float64, np.nan),
    "engagement": (np.float32, np.nan),
    "scroll": (np.int16, -1),
    "session": (np.int32, -1),
    "is_consented": (np.int8, -1),
    "is_search_click": (bool, False),
}


def make(time: np.ndarray, person: np.ndarray, name: np.ndarray | str, **given: object) -> Events:
    """Events with what is given; everything else is not said."""
    if isinstance(name, str):
        name = np.full(len(time), NAMES.index(name))
    columns = {
        column: np.broadcast_to(np.asarray(given.get(column, default), kind), (len(time),))
        for column, (kind, default) in _DEFAULTS.items()
    }
    return Events(
        time=time.astype(np.int64),
        person=person.astype(np.int32),
        name=name.astype(np.int8),
        **columns,
    )


def concatenate(parts: list[Events]) -> Events:
    """All of them, by time; ties stay in the order of the parts."""
    whole = Events(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in parts])
            for item in fields(Events)
        }
    )
    return whole.take(np.argsort(whole.time, kind="stable"))


def logged_in(
    world: World, draws: Draws, people: People, visits: Visits, account_since: np.ndarray
) -> np.ndarray:
    """Whether people are logged in on each visit: on a device they have logged in on, mostly."""
    since = account_since[visits.person]
    owner = people.device_owner[visits.device]
    wait = np.where(owner == visits.person, people.device_login_after[visits.device], 0)
    can = (since < NEVER) & (wait < NEVER)
    can &= visits.time > np.where(can, since + np.where(can, wait, 0), 0)
    chance = uniform(draws.key("identity", 2), visits.person, visits.time)
    return can & (chance < world.retention)


def _consented(people: People, person: np.ndarray, time: np.ndarray) -> np.ndarray:
    """What events say of consent: always where it must be asked for, else when it is refused."""
    is_allowed = people.allows("analytics", person, time)
    must_ask = np.array([place.jurisdiction == "EU" for place in PLACES])[people.place[person]]
    return np.where(is_allowed, np.where(must_ask, 1, -1), 0)


def _app_session(people: People, visits: Visits, visit: np.ndarray) -> np.ndarray:
    return np.where(people.device_agent[visits.device[visit]] == APP, visit, -1)


def of_visits(
    draws: Draws,
    people: People,
    products: Products,
    visits: Visits,
    trails: Trail,
    is_logged_in: np.ndarray,
) -> Events:
    """What happens in visits."""
    draw = draws.stream("pages")
    visit, kind = trails.visit, trails.kind
    person = visits.person[visit]
    count = len(visit)
    base = visits.product[visit]
    # Further products are of the same category.
    within = (base + 7 * trails.number) % PRODUCTS_PER_CATEGORY
    product = np.where(
        trails.number > 1 + visits.searches[visit],
        base - base % PRODUCTS_PER_CATEGORY + within,
        base,
    )
    about_product = np.isin(kind, [PRODUCT, CART, REMOVE, CHECKOUT])
    category = len(PAGES) - len(CATEGORIES) + base // PRODUCTS_PER_CATEGORY
    page = np.select(
        [
            kind == PRODUCT,
            kind == SEARCH,
            np.isin(kind, [CART, REMOVE]),
            kind == CHECKOUT,
            kind == SIGN_UP,
            kind == LEAD,
            kind == SUPPORT,
        ],
        [len(PAGES) + product, 1, 2, 3, 5, 6, 7],
        np.where(draw.random(count) < 0.4, 0, category),
    )
    is_landing = trails.number == 0
    is_euro = np.array([place.currency == "EUR" for place in PLACES])[people.place[person]]
    price = (products.price[product] * np.where(is_euro, 0.92, 1.0)).round(2)
    has_value = np.isin(kind, [CART, CHECKOUT])
    origin = np.where(
        visits.program[visit] >= 0, len(OWN_ORIGINS) + visits.content[visit], visits.channel[visit]
    )
    return make(
        trails.time,
        person,
        kind,
        anonymous=visits.anonymous[visit],
        has_user=is_logged_in[visit] | (kind == SIGN_UP),
        has_email=np.isin(kind, [SIGN_UP, LEAD]),
        has_phone=(kind == SIGN_UP) & people.has_phone[person],
        page=page,
        origin=np.where(is_landing, origin, -1),
        product=np.where(about_product, product, -1),
        quantity=np.where(np.isin(kind, [CART, REMOVE]), 1, -1),
        value=np.where(has_value, price, np.nan),
        engagement=np.where(np.isin(kind, [PAGE, PRODUCT, SEARCH]), trails.engagement, np.nan),
        scroll=np.where(np.isin(kind, [PAGE, PRODUCT]), draw.integers(5, 101, count), -1),
        session=_app_session(people, visits, visit),
        is_consented=_consented(people, person, trails.time),
        is_search_click=is_landing & (visits.program[visit] == PROGRAM["search"]),
    )


def of_contacts(
    draws: Draws,
    people: People,
    contacts: Contacts,
    visits: Visits,
    is_logged_in: np.ndarray,
    account_since: np.ndarray,
) -> Events:
    """What is told of messages: sent, delivered, seen, clicked."""
    names = np.array(
        [[NAMES.index(name) if name else -1 for name in program.events] for program in PROGRAMS]
    )
    channel = np.array([program.channel for program in PROGRAMS])
    is_delivered = uniform(draws.key("messages", 1), contacts.person, contacts.sent_at) < 0.985
    delivered_at = np.where(
        (contacts.sent_at < NEVER) & (is_delivered | (contacts.seen_at < NEVER)),
        contacts.sent_at + 3_000,
        NEVER,
    )
    parts = []
    for stage, time in enumerate(
        (contacts.sent_at, delivered_at, contacts.seen_at, contacts.clicked_at)
    ):
        name = names[contacts.program, stage]
        rows = np.flatnonzero((name >= 0) & (time < NEVER))
        told, when = contacts.take(rows), time[rows]
        through = channel[told.program]
        is_email, is_text = through == "email", through == "sms"
        is_push, is_mail = through == "push", through == "direct_mail"
        is_on_site = told.visit >= 0
        is_ad = np.isin(through, ["display", "paid_social", "video"])
        has_account = account_since[told.person] < when
        visit = np.maximum(told.visit, 0)
        first = people.anonymous_id(people.first_device[told.person], when)
        knows = uniform(draws.key("messages", 2), told.person, told.sent_at) < 0.6
        on_site_user = is_logged_in[visit] if len(visits) else np.zeros(len(rows), bool)
        on_site_anonymous = visits.anonymous[visit] if len(visits) else first
        session = _app_session(people, visits, visit) if len(visits) else -1
        parts.append(
            make(
                when,
                told.person,
                name[rows],
                anonymous=np.where(is_on_site, on_site_anonymous, np.where(is_ad, first, -1)),
                has_user=np.where(
                    is_on_site,
                    on_site_user,
                    has_account & (is_push | is_text | is_mail | (is_email & knows)),
                ),
                has_email=is_email,
                has_phone=is_text,
                content=told.content,
                session=np.where(is_on_site, session, -1),
                is_consented=np.where(
                    is_on_site | is_ad, _consented(people, told.person, when), -1
                ),
            )
        )
    return concatenate(parts)


def of_orders(
    people: People,
    visits: Visits,
    person: np.ndarray,
    basket: Baskets,
    placed: Placements,
    device: np.ndarray,
    anonymous: np.ndarray,
    logs_in: np.ndarray,
    offer: np.ndarray,
) -> list[Events]:
    """The events of orders of the web: its own visit where it has one, cart, checkout, order.

    Args:
        people, visits: the shop.
        person, basket, placed: the orders.
        device, anonymous: number of the device of each order, and of its anonymous id.
        logs_in: whether the person logs in to order.
        offer: number of the content of the offer that is redeemed; -1: none.
    """
    is_web = basket.placed_in == WEB
    app = people.device_agent[device]
    own = np.flatnonzero(is_web & (placed.opens_at < NEVER))
    number = np.arange(len(person))
    session = np.where(
        placed.visit >= 0,
        np.where(app == APP, placed.visit, -1),
        np.where(app == APP, len(visits) + number, -1),
    )
    first_product = basket.product[:, 0]
    parts = [
        make(
            placed.opens_at[own],
            person[own],
            "page_viewed",
            anonymous=anonymous[own],
            page=0,
            origin=placed.channel[own],
            engagement=20.0,
            scroll=60,
            session=session[own],
            is_consented=_consented(people, person[own], placed.opens_at[own]),
        ),
        make(
            placed.opens_at[own] + 20_000,
            person[own],
            "product_viewed",
            anonymous=anonymous[own],
            page=len(PAGES) + first_product[own],
            product=first_product[own],
            engagement=((placed.cart_at - placed.opens_at)[own] - 20_000) / 1000,
            scroll=80,
            session=session[own],
            is_consented=_consented(people, person[own], placed.opens_at[own]),
        ),
    ]
    for line in range(basket.product.shape[1]):
        rows = np.flatnonzero(is_web & (basket.lines > line))
        time = placed.cart_at[rows] + 10_000 * line
        parts.append(
            make(
                time,
                person[rows],
                "added_to_cart",
                anonymous=anonymous[rows],
                page=2,
                product=basket.product[rows, line],
                quantity=basket.quantity[rows, line],
                value=basket.unit_price[rows, line],
                session=session[rows],
                is_consented=_consented(people, person[rows], time),
            )
        )
    rows = np.flatnonzero(is_web)
    for name, before, page in (("checkout_started", 45_000, 3), ("order_completed", 0, 4)):
        time = placed.ordered_at[rows] - before
        is_order = name == "order_completed"
        parts.append(
            make(
                time,
                person[rows],
                name,
                anonymous=anonymous[rows],
                has_user=logs_in[rows],
                has_email=~logs_in[rows] if is_order else False,
                page=page,
                order=rows if is_order else -1,
                value=basket.revenue[rows],
                session=session[rows],
                is_consented=_consented(people, person[rows], time),
            )
        )
    rows = np.flatnonzero(is_web & (offer >= 0))
    parts.append(
        make(
            placed.ordered_at[rows] + 500,
            person[rows],
            "offer_redeemed",
            anonymous=anonymous[rows],
            has_user=logs_in[rows],
            content=offer[rows],
            order=rows,
            session=session[rows],
            is_consented=_consented(people, person[rows], placed.ordered_at[rows]),
        )
    )
    return parts


def of_bots(draws: Draws, people: People, days: int, humans: int) -> tuple[Events, int]:
    """Robots that read product pages: one event in a hundred.

    Returns:
        their events, and how many robots there are.
    """
    draw = draws.stream("bots")
    bots = max(2, round(len(people) * BOTS_PER_PERSON))
    count = draw.poisson(humans / 99)
    bot = draw.integers(0, bots, count)
    time = np.sort(draw.integers(0, days * DAY, count))
    product = draw.integers(0, len(CATEGORIES) * PRODUCTS_PER_CATEGORY, count)
    events = make(
        time,
        np.full(count, -1),
        "product_viewed",
        anonymous=len(people.id_device) + bot,
        page=len(PAGES) + product,
        product=product,
    )
    return events, bots
