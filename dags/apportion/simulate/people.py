"""Who comes to the shop: people with places, devices, accounts, consents, arms of experiments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apportion.simulate.draws import Draws, pick, scramble, uniform
from apportion.simulate.shop import (
    DAY,
    EXPERIMENTS,
    PLACES,
    SEGMENTS,
    STEP,
    STEPS_PER_DAY,
    diurnal,
)
from apportion.simulate.worlds import World

NEVER = np.int64(1) << 60
"""A time after every other."""

# Times are below it: a device and a time make one number that sorts by both.
_DEVICE = np.int64(1) << 42

PURPOSES = ("analytics", "personalization", "advertising", "psychographic")
_GRANTED = {"EU": (0.90, 0.78, 0.68, 0.45), "US": (0.985, 0.97, 0.92, 0.88)}
_WITHDRAWN = 0.05

DEVICE_TYPES = ("desktop", "mobile", "tablet")
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.4 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36",
    "ShopApp/5.2 (Android 15; Pixel 9)",
    "Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.4 Mobile/15E148 Safari/604.1",
)
APP = 4
"""Number of the app among USER_AGENTS: it sends a session_id of its own."""
BOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)
_AGENTS_OF_TYPE = ((0, 1), (2, 3, 4), (5, 5))

FIRST_NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida", "James", "Karla",
    "Liam", "Mia", "Noah", "Olga", "Paul", "Quinn", "Rosa", "Simon", "Tessa", "Uma", "Victor",
    "Wendy", "Xaver", "Yara", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Adams", "Becker", "Clark", "Dupont", "Evans", "Fischer", "Garcia", "Hoffmann", "Irving",
    "Jansen", "Keller", "Lopez", "Martin", "Nguyen", "Olsen", "Petit", "Quist", "Roberts",
    "Schmidt", "Taylor", "Ulrich", "Visser", "Weber", "Xu", "Young", "Zimmer",
)  # fmt: skip
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example")


@dataclass
class People:
    """The people of one shop; arrays of n unless said otherwise. Times are milliseconds.

    Attributes:
        segment, place: numbers into SEGMENTS and PLACES.
        age, income: years; USD a year.
        is_female: whether a woman.
        arrives_at: before it they do nothing.
        offset: their steps of six hours begin this much after midnight and so on.
        step_share: (n, 4) share of a day's activity in each of its steps.
        wants_account_at, wants_news_at: they sign up, or leave their address, on their first visit
            after it; NEVER: they do not; negative: before the start.
        is_granted: (n, purposes) whether they consent when asked, on arrival.
        withdraws_at: (n, purposes) when they take it back.
        is_held_out: (n, experiments) whether they are in the control arm.
        has_phone: whether their telephone number is known with their account.
        first_device, device_count: their devices are first_device .. first_device + count - 1.
        guest_of: person whose first device they use at times; -1: nobody's.
        device_owner, device_agent: (devices) person, number into USER_AGENTS.
        device_login_after: (devices) how long after sign-up it takes until they log in on it.
        id_device, id_from: (anonymous ids) device, and since when it has this id; sorted.
    """

    segment: np.ndarray
    place: np.ndarray
    age: np.ndarray
    income: np.ndarray
    is_female: np.ndarray
    arrives_at: np.ndarray
    offset: np.ndarray
    step_share: np.ndarray
    wants_account_at: np.ndarray
    wants_news_at: np.ndarray
    is_granted: np.ndarray
    withdraws_at: np.ndarray
    is_held_out: np.ndarray
    has_phone: np.ndarray
    first_device: np.ndarray
    device_count: np.ndarray
    guest_of: np.ndarray
    device_owner: np.ndarray
    device_agent: np.ndarray
    device_login_after: np.ndarray
    id_device: np.ndarray
    id_from: np.ndarray
    id_key: np.uint64

    def __len__(self) -> int:
        return len(self.segment)

    def anonymous_id(self, device: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Number of the anonymous id that a device had at a time."""
        since = self.id_device * _DEVICE + self.id_from + 1
        return (np.searchsorted(since, device * _DEVICE + time + 1, side="right") - 1).astype(
            np.int32
        )

    def allows(self, purpose: str, person: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Whether the people's consent to a purpose holds at the times."""
        column = PURPOSES.index(purpose)
        return self.is_granted[person, column] & (time < self.withdraws_at[person, column])

    def held_out(self, experiment: str, person: np.ndarray) -> np.ndarray:
        """Whether people are in the control arm of an experiment."""
        return self.is_held_out[person, list(EXPERIMENTS).index(experiment)]

    def settle(self, person: np.ndarray, time: np.ndarray, steps: int) -> tuple[np.ndarray, ...]:
        """Move times out of the last 40 minutes of a step, into the next one.

        What begins outside them is over before the step ends, and an order of the step can follow.

        Returns:
            times; their steps; whether they lie within the history.
        """
        since = time - self.offset[person]
        step = np.floor_divide(since, STEP)
        within = since - step * STEP
        is_late = within > STEP - 2_400_000
        step = np.where(is_late, step + 1, step)
        within = np.where(is_late, (within - (STEP - 2_400_000)) // 4, within)
        is_early = step < 0
        step = np.where(is_early, 0, step)
        within = np.where(is_early, within // 16, within)
        settled = self.offset[person] + step * STEP + within
        return settled, step.astype(np.int32), step < steps

    def anonymous_id_text(self, number: np.ndarray) -> list[str]:
        """The text of anonymous ids by number."""
        return [f"{bits:016x}" for bits in scramble(self.id_key, number).tolist()]

    def first_name(self, person: int) -> str:
        """First name of a person."""
        return FIRST_NAMES[(person * 7 + 3) % len(FIRST_NAMES)]

    def last_name(self, person: int) -> str:
        """Last name of a person."""
        return LAST_NAMES[(person * 11 + person // 26) % len(LAST_NAMES)]

    def email(self, person: int) -> str:
        """E-mail address of a person, in canonical form."""
        name = f"{self.first_name(person)}.{self.last_name(person)}{person}"
        return f"{name.lower()}@{_DOMAINS[person % len(_DOMAINS)]}"

    def phone(self, person: int) -> str:
        """Telephone number of a person, digits only, with the country's."""
        prefix = {"US": "1555", "DE": "4930", "FR": "3312", "NL": "3120"}
        return f"{prefix[PLACES[self.place[person]].country]}{person + 1_000_000:07d}"

    def user_id(self, person: int) -> str:
        """Account number of a person."""
        return f"U{person + 1_000_000}"


def draw_people(world: World, draws: Draws, count: int, days: int) -> People:
    """The people of a seed: `count` of them over `days` days."""
    draw = draws.stream("people")
    end = days * DAY
    segment = pick(np.cumsum([kind.share for kind in SEGMENTS]), draw.random(count))
    place = pick(np.cumsum([place.share for place in PLACES]), draw.random(count))
    kinds = np.array([(kind.age, kind.female, kind.income) for kind in SEGMENTS])
    age = np.clip(draw.normal(kinds[segment, 0], 9.0), 16, 90).astype(np.int16)
    is_female = draw.random(count) < kinds[segment, 1]
    income = (kinds[segment, 2] * np.exp(draw.normal(0, 0.35, count))).astype(np.int64)
    arrives_at = np.where(draw.random(count) < 0.7, 0, draw.integers(0, end, count))
    offset = draw.integers(0, STEP, count)
    hours = np.array([place.hours for place in PLACES])[place]
    middle = (offset[:, None] + STEP * (np.arange(STEPS_PER_DAY) + 0.5)) / 3_600_000
    step_share = diurnal(middle + hours[:, None])
    step_share /= step_share.sum(axis=1, keepdims=True)

    account = draw.random(count)
    some_day = arrives_at + (draw.random(count) * (end - arrives_at)).astype(np.int64)
    wants_account_at = np.where(account < 0.45, -1, np.where(account < 0.70, some_day, NEVER))
    # An account from before the start belongs to somebody who was there then.
    wants_account_at = np.where(
        (wants_account_at < 0) & (arrives_at > 0), arrives_at, wants_account_at
    )
    wants_news_at = np.where(account >= 0.90, some_day, NEVER)
    has_phone = draw.random(count) < 0.8

    consent = draws.stream("consent")
    granted = np.array([_GRANTED[place.jurisdiction] for place in PLACES])[place]
    is_granted = consent.random((count, len(PURPOSES))) < granted
    withdraws = consent.random((count, len(PURPOSES))) < _WITHDRAWN
    moment = arrives_at[:, None] + (
        consent.random((count, len(PURPOSES))) * (end - arrives_at)[:, None]
    ).astype(np.int64)
    withdraws_at = np.where(withdraws & is_granted, moment, NEVER)

    numbers = np.arange(count)
    is_held_out = np.stack(
        [
            uniform(draws.key("people", 1 + number), numbers) < share
            for number, share in enumerate(EXPERIMENTS.values())
        ],
        axis=1,
    )
    return People(
        segment=segment.astype(np.int8),
        place=place.astype(np.int8),
        age=age,
        income=income,
        is_female=is_female,
        arrives_at=arrives_at,
        offset=offset,
        step_share=step_share,
        wants_account_at=wants_account_at,
        wants_news_at=wants_news_at,
        is_granted=is_granted,
        withdraws_at=withdraws_at,
        is_held_out=is_held_out,
        has_phone=has_phone,
        **_devices(world, draws, count, days),
    )


def _devices(world: World, draws: Draws, count: int, days: int) -> dict[str, object]:
    """Devices and their anonymous ids, as fields of People."""
    draw = draws.stream("identity")
    device_count = 1 + pick(np.array([0.5, 0.85, 1.0]), draw.random(count))
    first_device = np.cumsum(device_count) - device_count
    owner = np.repeat(np.arange(count), device_count)
    number = np.arange(len(owner)) - first_device[owner]
    # The first is a telephone more often than not, the others are what it is not.
    kind = pick(np.array([0.36, 0.92, 1.0]), draw.random(len(owner)))
    kind = np.where(number > 0, (kind[first_device[owner]] + number) % 3, kind)
    agents = np.array([(kinds + kinds)[:3] for kinds in _AGENTS_OF_TYPE])
    agent = agents[kind, draw.integers(0, 3, len(owner))]
    login_after = (draw.exponential(6.0, len(owner)) * DAY).astype(np.int64)
    login_after = np.where(number == 0, login_after // 8, login_after)
    login_after = np.where(draw.random(len(owner)) < 1 - world.retention**0.3, NEVER, login_after)

    losses = draw.poisson(world.resets_per_day * days, len(owner))
    lost = np.repeat(np.arange(len(owner)), losses)
    id_device = np.concatenate([np.arange(len(owner)), lost])
    id_from = np.concatenate(
        [np.full(len(owner), -1), (draw.random(len(lost)) * days * DAY).astype(np.int64)]
    )
    order = np.lexsort((id_from, id_device))
    guest = draw.random(count) < 0.015
    host = draw.integers(0, max(count, 1), count)
    return {
        "first_device": first_device,
        "device_count": device_count,
        "guest_of": np.where(guest & (host != np.arange(count)), host, -1),
        "device_owner": owner,
        "device_agent": agent.astype(np.int8),
        "device_login_after": login_after,
        "id_device": id_device[order],
        "id_from": id_from[order],
        "id_key": draws.key("identity", 1),
    }
