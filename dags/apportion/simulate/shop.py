"""What the shop is before anybody comes: segments, products, programs of messages, effects."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

DAY = 86_400_000
"""Milliseconds of a day: times are whole milliseconds since the start."""
STEPS_PER_DAY = 4
STEP = DAY // STEPS_PER_DAY

TACTICS = (
    "dynamic_content",
    "email_personalization",
    "retargeting",
    "product_recommendation",
    "personalized_offer",
)
CATEGORIES = ("shoes", "clothing", "sports", "home", "beauty", "toys")
CATEGORY_PRICES = (45.0, 32.0, 36.0, 26.0, 15.0, 20.0)
PRODUCTS_PER_CATEGORY = 40


@dataclass(frozen=True)
class Segment:
    """One kind of people.

    Attributes:
        name: as truth names it.
        share: share of the people.
        orders: orders per person and day without any message, before seasons and habits.
        visits: visits per person and day of their own accord, when they do not want anything.
        basket: factor of the number and the price of what they buy.
        coupons: chance that an order has a discount.
        age: mean age.
        female: share of women.
        income: median income, USD a year.
        tastes: weight of each category.
        response: per tactic, how far above (+) or below (-) the average they respond.
    """

    name: str
    share: float
    orders: float
    visits: float
    basket: float
    coupons: float
    age: float
    female: float
    income: float
    tastes: tuple[float, ...]
    response: tuple[float, ...]


SEGMENTS = (
    Segment("bargain_hunters", 0.25, 0.0016, 0.09, 0.80, 0.55, 41, 0.55, 38_000,
            (1, 2, 1, 3, 2, 2), (-0.5, -0.3, -0.2, -0.6, 1.2)),
    Segment("trend_followers", 0.20, 0.0026, 0.13, 1.05, 0.15, 27, 0.60, 52_000,
            (4, 5, 2, 1, 3, 0.2), (0.8, -0.2, 0.4, 1.0, -0.6)),
    Segment("loyalists", 0.20, 0.0040, 0.10, 1.20, 0.10, 52, 0.52, 88_000,
            (2, 3, 2, 3, 1, 1), (0.2, 1.0, -0.8, 0.1, -0.4)),
    Segment("browsers", 0.25, 0.0010, 0.16, 0.95, 0.20, 34, 0.45, 61_000,
            (2, 2, 4, 2, 1, 1), (0.3, -0.2, 0.9, 0.3, -0.2)),
    Segment("gift_givers", 0.10, 0.0014, 0.05, 1.35, 0.25, 45, 0.65, 74_000,
            (1, 2, 1, 2, 2, 5), (-0.6, -0.2, -0.5, -1.0, -0.2)),
)  # fmt: skip

GROUPS: dict[tuple[str, str], float] = {
    ("email", "none"): 0.14,
    ("email", "email_personalization"): 0.60,
    ("display", "none"): 0.08,
    ("display", "retargeting"): 0.24,
    ("paid_social", "none"): 0.10,
    ("paid_social", "retargeting"): 0.26,
    ("video", "none"): 0.12,
    ("paid_search", "none"): 0.24,
    ("affiliate", "none"): 0.20,
    ("on_site", "none"): 0.04,
    ("on_site", "dynamic_content"): 0.10,
    ("on_site", "product_recommendation"): 0.17,
    ("on_site", "personalized_offer"): 0.40,
    ("sms", "none"): 0.12,
    ("sms", "personalized_offer"): 0.80,
    ("push", "none"): 0.08,
    ("push", "personalized_offer"): 0.60,
    ("direct_mail", "none"): 0.14,
    ("direct_mail", "personalized_offer"): 0.60,
}
"""Effect on the log hazard of a full exposure to a channel and tactic; average segment."""

CHANNELS = (
    "direct",
    "organic_search",
    "organic_social",
    "referral",
    *dict.fromkeys(channel for channel, _ in GROUPS),
)
"""Every channel; those without a group have no effect: their visits would have come anyway."""


@dataclass(frozen=True)
class Program:
    """One kind of message; it has a campaign per month.

    Attributes:
        name: stem of its campaigns' ids.
        channel: channel of its touches.
        tactic: its tactic, 'none' for what everybody gets alike.
        events: names of what is told of it: sent, delivered, seen, clicked ('' where nothing is).
        medium: utm_medium of the visits that its clicks bring ('' where they bring none).
        source: utm_source of them.
        cost_per_thousand: USD per thousand seen.
        cost_per_click: USD per click.
        experiment: experiment that holds people out of it.
        objective: what it is for.
    """

    name: str
    channel: str
    tactic: str
    events: tuple[str, str, str, str]
    medium: str = ""
    source: str = ""
    cost_per_thousand: float = 0.0
    cost_per_click: float = 0.0
    experiment: str = ""
    objective: str = "conversion"

    @property
    def is_personalized(self) -> bool:
        """Whether it is chosen or written for the person."""
        return self.tactic != "none"


_EMAIL = ("email_sent", "email_delivered", "email_opened", "email_clicked")
_AD = ("", "", "ad_impression", "ad_click")
_CONTENT = ("", "", "content_shown", "content_clicked")
_RECOMMENDATION = ("", "", "recommendation_shown", "recommendation_clicked")
_OFFER = ("", "", "offer_viewed", "")
_SMS = ("sms_sent", "", "", "sms_clicked")
_PUSH = ("push_sent", "", "", "push_opened")
_MAIL = ("", "", "offer_sent", "")

EXPERIMENTS = {"exp-personal-email": 0.2, "exp-retargeting": 0.2}
"""Share of the people whom each experiment holds out, at random."""

PROGRAMS = (
    Program("newsletter", "email", "none", _EMAIL, "email", "newsletter", 0.4),
    Program("personal-email", "email", "email_personalization", _EMAIL, "email", "newsletter", 0.6,
            experiment="exp-personal-email"),
    Program("cart-reminder", "email", "email_personalization", _EMAIL, "email", "newsletter", 0.6,
            experiment="exp-personal-email"),
    Program("display-prospecting", "display", "none", _AD, "display", "adnet", 3.0, 0.0,
            objective="awareness"),
    Program("display-retargeting", "display", "retargeting", _AD, "retargeting", "adnet", 5.0, 0.2,
            experiment="exp-retargeting"),
    Program("social-prospecting", "paid_social", "none", _AD, "cpc", "facebook", 6.0, 0.4,
            objective="awareness"),
    Program("social-retargeting", "paid_social", "retargeting", _AD, "cpc", "instagram", 8.0, 0.5,
            experiment="exp-retargeting"),
    Program("video", "video", "none", _AD, "cpv", "youtube", 9.0, objective="awareness"),
    Program("search", "paid_search", "none", ("", "", "", ""), "cpc", "google", 0.0, 0.6),
    Program("affiliate", "affiliate", "none", ("", "", "", ""), "affiliate", "dealsite", 0.0, 0.5),
    Program("site-banner", "on_site", "none", _CONTENT),
    Program("site-content", "on_site", "dynamic_content", _CONTENT),
    Program("site-bestsellers", "on_site", "none", _RECOMMENDATION),
    Program("site-recommendations", "on_site", "product_recommendation", _RECOMMENDATION),
    Program("site-coupon", "on_site", "none", _OFFER),
    Program("site-offer", "on_site", "personalized_offer", _OFFER),
    Program("sms-news", "sms", "none", _SMS, "sms", "sms", 40.0),
    Program("sms-offer", "sms", "personalized_offer", _SMS, "sms", "sms", 40.0),
    Program("push-news", "push", "none", _PUSH, "push", "app"),
    Program("push-offer", "push", "personalized_offer", _PUSH, "push", "app"),
    Program("mailing", "direct_mail", "none", _MAIL, cost_per_thousand=600.0,
            objective="retention"),
    Program("mailing-offer", "direct_mail", "personalized_offer", _MAIL, cost_per_thousand=700.0,
            objective="retention"),
)  # fmt: skip

PROGRAM = {program.name: number for number, program in enumerate(PROGRAMS)}
"""Number of each program."""

GROUP_OF_PROGRAM = np.array(
    [list(GROUPS).index((program.channel, program.tactic)) for program in PROGRAMS]
)
"""Number of each program's group of effects."""

CONTENTS_PER_CAMPAIGN = 3


@dataclass(frozen=True)
class Place:
    """A city.

    Attributes:
        country, region, city: ISO 3166 codes and the city's name.
        timezone: IANA name.
        hours: offset of its local time from UTC, in hours.
        currency: what people pay with.
        jurisdiction: whose law of consent applies.
        share: share of the people.
        postal: stem of its postal codes.
    """

    country: str
    region: str
    city: str
    timezone: str
    hours: int
    currency: str
    jurisdiction: str
    share: float
    postal: str


PLACES = (
    Place("US", "NY", "New York", "America/New_York", -5, "USD", "US", 0.18, "100"),
    Place("US", "CA", "Los Angeles", "America/Los_Angeles", -8, "USD", "US", 0.17, "900"),
    Place("US", "IL", "Chicago", "America/Chicago", -6, "USD", "US", 0.13, "606"),
    Place("US", "TX", "Austin", "America/Chicago", -6, "USD", "US", 0.10, "787"),
    Place("US", "CO", "Denver", "America/Denver", -7, "USD", "US", 0.07, "802"),
    Place("DE", "BE", "Berlin", "Europe/Berlin", 1, "EUR", "EU", 0.12, "101"),
    Place("DE", "NW", "Köln", "Europe/Berlin", 1, "EUR", "EU", 0.08, "506"),
    Place("FR", "IDF", "Paris", "Europe/Paris", 1, "EUR", "EU", 0.09, "750"),
    Place("NL", "NH", "Amsterdam", "Europe/Amsterdam", 1, "EUR", "EU", 0.06, "101"),
)


def daily_rates(generator: np.random.Generator, days: int) -> np.ndarray:
    """USD for one EUR, per day, to four decimals: a random walk that is drawn back to 1.08."""
    rates = np.empty(days)
    rate = 1.08
    for day, shock in enumerate(generator.normal(0.0, 0.004, days)):
        rate += 0.02 * (1.08 - rate) + shock
        rates[day] = rate
    return rates.round(4)


@dataclass(frozen=True)
class Products:
    """The products: product p is of category p // PRODUCTS_PER_CATEGORY, the best-selling first.

    Attributes:
        price: USD, to the cent.
        popularity: cumulative popularity within a category.
    """

    price: np.ndarray
    popularity: np.ndarray

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Products:
        """The products of a seed."""
        stem = np.repeat(np.array(CATEGORY_PRICES), PRODUCTS_PER_CATEGORY)
        price = stem * np.exp(generator.normal(-0.08, 0.4, len(stem)))
        weight = 1.0 / np.arange(1, PRODUCTS_PER_CATEGORY + 1) ** 0.8
        return cls(price.round(2), np.cumsum(weight / weight.sum()))

    def choose(self, category: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """One product of each category asked for."""
        within = np.searchsorted(self.popularity[:-1], uniforms, side="right")
        return (category * PRODUCTS_PER_CATEGORY + within).astype(np.int32)


def season(amplitude: float, start: dt.date, days: int) -> np.ndarray:
    """Factor of wanting to buy on each day: a swing of 60 days and a fuller week-end."""
    day = np.arange(days)
    swing = 1.0 + amplitude * np.sin(2 * np.pi * day / 60.0)
    return swing * np.where((start.weekday() + day) % 7 >= 5, 1.12, 0.95)


def diurnal(hours: np.ndarray) -> np.ndarray:
    """How busy a local hour is, mean about 1: little at 4, most at 20."""
    return (
        1.0
        + 0.75 * np.cos(2 * np.pi * (hours - 19.0) / 24.0)
        - 0.2 * np.cos(4 * np.pi * (hours - 19.0) / 24.0)
    )
