"""Messages: to whom each program goes, who sees it, who clicks, and who is held out of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields

import numpy as np

from apportion.simulate.draws import Draws, pick
from apportion.simulate.people import APP, NEVER, People
from apportion.simulate.shop import (
    CHANNELS,
    CONTENTS_PER_CAMPAIGN,
    DAY,
    PROGRAM,
    PROGRAMS,
    STEP,
    STEPS_PER_DAY,
)
from apportion.simulate.visits import Trail, Visits
from apportion.simulate.worlds import World


class Calendar:
    """The days of a history and their months.

    Args:
        start: first day.
        days: how many.
    """

    def __init__(self, start: dt.date, days: int):
        self.start = start
        self.days = days
        dates = [start + dt.timedelta(day) for day in range(days)]
        self.months = sorted({(date.year, date.month) for date in dates})
        self._month_of_day = np.array([self.months.index((d.year, d.month)) for d in dates])

    @property
    def steps(self) -> int:
        """Steps that lie within the history for everybody, whatever their offset."""
        return self.days * STEPS_PER_DAY - 1

    def content(self, program: np.ndarray, time: np.ndarray, variant: np.ndarray) -> np.ndarray:
        """Number of the content that a program shows at a time."""
        month = self._month_of_day[np.clip(time // DAY, 0, self.days - 1)]
        campaign = program * len(self.months) + month
        return (campaign * CONTENTS_PER_CAMPAIGN + variant).astype(np.int32)


@dataclass
class Contacts:
    """Messages to people; arrays of n. Times are milliseconds, NEVER where it did not happen.

    Attributes:
        person: who.
        program: number into PROGRAMS.
        content: number of the content.
        sent_at, seen_at, clicked_at: what became of it.
        step: step of seeing, or of the click where nothing is told of seeing.
        visit: number of the visit in which it was shown; -1: outside of any.
        is_held_out: the person is in the control arm: it would have happened, and did not.
    """

    person: np.ndarray
    program: np.ndarray
    content: np.ndarray
    sent_at: np.ndarray
    seen_at: np.ndarray
    clicked_at: np.ndarray
    step: np.ndarray
    visit: np.ndarray
    is_held_out: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: np.ndarray) -> Contacts:
        """Some of them, by number or by a mask."""
        return Contacts(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @classmethod
    def concatenate(cls, parts: list[Contacts]) -> Contacts:
        """All of them."""
        return cls(
            **{
                item.name: np.concatenate([getattr(part, item.name) for part in parts])
                for item in fields(cls)
            }
        )


@dataclass(frozen=True)
class Senders:
    """What the programs know when they choose people.

    Attributes:
        world, people, calendar: the shop.
        wanting: (people, days) what they want, -1 nothing.
        season: (days) factor of the season.
        known_since: when the shop learned each person's e-mail address.
        account_since: when each account began.
        draw: the stream of the messages.
    """

    world: World
    people: People
    calendar: Calendar
    wanting: np.ndarray
    season: np.ndarray
    known_since: np.ndarray
    account_since: np.ndarray
    draw: np.random.Generator

    def is_wanting(self, person: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Whether people want something on the day."""
        return self.wanting[person, np.clip(time // DAY, 0, self.calendar.days - 1)] >= 0

    def targeted(self, person: np.ndarray, time: np.ndarray, everybody: float) -> np.ndarray:
        """Choose people for a targeted message: between anybody, and those who want something.

        Args:
            everybody: share that is chosen without targeting.
        """
        aim = self.world.targeting
        aimed = np.where(self.is_wanting(person, time), min(2.5 * everybody, 0.95), 0.1 * everybody)
        return self.draw.random(len(person)) < (1 - aim) * everybody + aim * aimed

    def regular(self, every: int, first: int, hour: float, who: np.ndarray) -> tuple:
        """Everybody of `who` on every so manieth day: people and times, half an hour scattered."""
        day = np.arange(first, self.calendar.days, every)
        person = np.repeat(who, len(day))
        time = np.tile(day, len(who)) * DAY + int(hour * 3_600_000)
        return person, time + self.draw.integers(0, 1_800_000, len(person))

    def contacts(
        self,
        program: np.ndarray | str,
        person: np.ndarray,
        sent_at: np.ndarray,
        delay: np.ndarray,
        seen: np.ndarray | float,
        clicked: float,
    ) -> Contacts:
        """Contacts of messages that were sent; chances: `seen`, and `clicked` among the seen.

        Args:
            program: number per contact, or the name of the one program.
            person: whom it goes to.
            sent_at: when it is sent; of an advertisement, when it is shown.
            delay: milliseconds until it is looked at.
            seen: chance of being looked at.
            clicked: chance of a click, once looked at.
        """
        count = len(person)
        if isinstance(program, str):
            program = np.full(count, PROGRAM[program])
        seen_at, step, is_inside = self.people.settle(person, sent_at + delay, self.calendar.steps)
        is_seen = (self.draw.random(count) < seen) & is_inside
        is_clicked = is_seen & (self.draw.random(count) < clicked)
        after = self.draw.integers(4_000, 60_000, count)
        # Nothing tells of seeing a text message: its click is the first that is known.
        is_told = np.array([bool(item.events[2]) for item in PROGRAMS])[program]
        held_out = np.zeros(count, bool)
        for number, item in enumerate(PROGRAMS):
            if item.experiment:
                held_out |= (program == number) & self.people.held_out(item.experiment, person)
        rows = Contacts(
            person=person,
            program=program.astype(np.int8),
            content=self.calendar.content(
                program, sent_at, self.draw.integers(0, CONTENTS_PER_CAMPAIGN, count)
            ),
            sent_at=sent_at,
            seen_at=np.where(is_seen & is_told, seen_at, NEVER),
            clicked_at=np.where(is_clicked, seen_at + np.where(is_told, after, 0), NEVER),
            step=step,
            visit=np.full(count, -1, np.int32),
            is_held_out=held_out,
        )
        return rows.take((sent_at >= 0) & (sent_at < self.calendar.days * DAY))


def outside_messages(senders: Senders, visits: Visits, trails: Trail) -> Contacts:
    """E-mail, advertising, text messages, push and printed mail.

    Args:
        senders: what the programs know.
        visits: the visits of people's own accord: what they looked at follows them.
        trails: the events of these visits.
    """
    return Contacts.concatenate(
        [
            *_emails(senders, visits, trails),
            *_prospecting(senders),
            *_retargeting(senders, visits, trails),
            *_phone_and_mail(senders),
        ]
    )


def _emails(senders: Senders, visits: Visits, trails: Trail) -> list[Contacts]:
    draw, people = senders.draw, senders.people
    subscribers = np.flatnonzero((senders.known_since < NEVER) & (draw.random(len(people)) < 0.85))
    parts = []

    person, time = senders.regular(7, 5, 8.0, subscribers)
    is_sent = time > senders.known_since[person]
    person, time = person[is_sent], time[is_sent]
    delay = (draw.exponential(4.0, len(person)) * 3_600_000).astype(np.int64) + 30_000
    parts.append(senders.contacts("newsletter", person, time, delay, 0.24, 0.10))

    person, time = senders.regular(7, 2, 14.0, subscribers)
    is_sent = (time > senders.known_since[person]) & people.allows("personalization", person, time)
    person, time = person[is_sent], time[is_sent]
    is_sent = senders.targeted(person, time, 0.5)
    person, time = person[is_sent], time[is_sent]
    delay = (draw.exponential(4.0, len(person)) * 3_600_000).astype(np.int64) + 30_000
    seen = np.where(senders.is_wanting(person, time), 0.45, 0.32)
    parts.append(senders.contacts("personal-email", person, time, delay, seen, 0.18))

    left = np.flatnonzero((visits.carts == 1) & (visits.removals == 0))
    person = visits.person[left]
    time = trails.ends_at[left] + draw.integers(20 * 3_600_000, 26 * 3_600_000, len(left))
    is_sent = (time > senders.known_since[person]) & people.allows("personalization", person, time)
    person, time = person[is_sent], time[is_sent]
    delay = (draw.exponential(3.0, len(person)) * 3_600_000).astype(np.int64) + 30_000
    parts.append(senders.contacts("cart-reminder", person, time, delay, 0.45, 0.25))
    return parts


def _prospecting(senders: Senders) -> list[Contacts]:
    """Advertising to anybody, known or not, on any day."""
    draw, people, calendar = senders.draw, senders.people, senders.calendar
    weight = senders.season**senders.world.season_pressure
    cumulative = np.cumsum(weight / weight.sum())
    parts = []
    for program, per_day, clicked in (
        ("display-prospecting", 0.05, 0.010),
        ("social-prospecting", 0.04, 0.015),
        ("video", 0.02, 0.006),
    ):
        expected = per_day * senders.world.pressure * len(people) * weight.sum()
        count = draw.poisson(expected)
        person = draw.integers(0, max(len(people), 1), count)
        day = pick(cumulative, draw.random(count))
        part = pick(np.cumsum(people.step_share, axis=1)[person], draw.random(count))
        time = people.offset[person] + (day * STEPS_PER_DAY + part) * STEP
        time += (draw.random(count) * (STEP - 2_400_000)).astype(np.int64)
        is_there = (time >= people.arrives_at[person]) & (time < calendar.days * DAY)
        person, time = person[is_there], time[is_there]
        parts.append(
            senders.contacts(program, person, time, np.zeros(len(person), np.int64), 1.0, clicked)
        )
    return parts


def _retargeting(senders: Senders, visits: Visits, trails: Trail) -> list[Contacts]:
    """Advertising that follows a product that was looked at, for ten days."""
    draw, people = senders.draw, senders.people
    aim = senders.world.targeting
    parts = []
    looked = np.flatnonzero(visits.products > 0)
    is_wanting = visits.is_wanting[looked]
    for program, per_visit in (("display-retargeting", 0.7), ("social-retargeting", 0.6)):
        rate = per_visit * senders.world.pressure * np.where(is_wanting, 1 + aim, 1 - aim)
        visit = np.repeat(looked, draw.poisson(rate))
        person = visits.person[visit]
        delay = np.minimum(draw.exponential(2.5, len(visit)), 10.0) * DAY
        time = trails.ends_at[visit] + delay.astype(np.int64) + 600_000
        is_shown = people.allows("advertising", person, time)
        is_shown &= people.allows("personalization", person, time)
        person, time = person[is_shown], time[is_shown]
        parts.append(
            senders.contacts(program, person, time, np.zeros(len(person), np.int64), 1.0, 0.02)
        )
    return parts


def _phone_and_mail(senders: Senders) -> list[Contacts]:
    """Text messages, push and printed mail, to people with an account."""
    draw, people = senders.draw, senders.people
    has_account = senders.account_since < NEVER
    is_app = np.zeros(len(people), bool)
    is_app[people.device_owner[people.device_agent == APP]] = True
    parts = []
    for name, every, first, hour, who, chosen, seen, clicked in (
        ("sms", 14, 12, 16.0, has_account & people.has_phone, 0.5, 1.0, 0.12),
        ("push", 7, 4, 17.0, has_account & is_app, 0.9, 1.0, 0.10),
        ("mailing", 30, 9, 11.0, has_account, 0.5, 1.0, 0.0),
    ):
        person, time = senders.regular(every, first, hour, np.flatnonzero(who))
        is_sent = (time > senders.account_since[person]) & (draw.random(len(person)) < chosen)
        person, time = person[is_sent], time[is_sent]
        is_offer = people.allows("personalization", person, time)
        is_offer &= senders.targeted(person, time, 0.5)
        generic = "mailing" if name == "mailing" else f"{name}-news"
        program = np.where(is_offer, PROGRAM[f"{name}-offer"], PROGRAM[generic])
        hours = 0.0 if name == "mailing" else 2.0
        delay = (draw.exponential(1.0, len(person)) * hours * 3_600_000).astype(np.int64) + 5_000
        contacts = senders.contacts(program, person, time, delay, seen, clicked)
        if name == "mailing":
            # Printed mail is seen when it arrives, and that is what is told of it.
            contacts = contacts.take(contacts.seen_at < NEVER)
            contacts.sent_at = np.full(len(contacts), NEVER)
        parts.append(contacts)
    return parts


def clicked_visits(contacts: Contacts) -> tuple[np.ndarray, ...]:
    """The visits that clicks bring: person, time, step, channel, program, content."""
    brings = np.array([bool(item.medium) for item in PROGRAMS])
    rows = contacts.take(
        (contacts.clicked_at < NEVER) & brings[contacts.program] & ~contacts.is_held_out
    )
    channel = np.array([CHANNELS.index(item.channel) for item in PROGRAMS])[rows.program]
    return (
        rows.person,
        rows.clicked_at + 2_000,
        rows.step,
        channel,
        rows.program,
        rows.content,
    )


def on_site_messages(
    world: World, draws: Draws, people: People, calendar: Calendar, visits: Visits, trails: Trail
) -> Contacts:
    """Content, recommendations and offers shown in visits (sorted by person and time).

    The personalised kind needs consent and an earlier visit; else what everybody sees is shown.
    """
    draw = draws.stream("on_site")
    count = len(visits)
    is_known = np.zeros(count, bool)
    is_known[1:] = visits.person[1:] == visits.person[:-1]
    can = is_known & people.allows("personalization", visits.person, visits.time)
    aim = world.targeting
    parts = []
    for generic, personal, shown, clicked, share in (
        ("site-banner", "site-content", np.full(count, 0.5), 0.06, 0.7),
        ("site-bestsellers", "site-recommendations", (visits.products > 0) * 0.7, 0.12, 0.7),
        ("site-coupon", "site-offer", np.full(count, 0.10), 0.0, 0.6),
    ):
        is_shown = draw.random(count) < shown
        aimed = np.where(visits.is_wanting, 0.98, 0.1)
        is_personal = can & (draw.random(count) < (1 - aim) * share + aim * aimed)
        is_clicked = draw.random(count) < clicked
        variant = draw.integers(0, CONTENTS_PER_CAMPAIGN, count)
        program = np.where(is_personal, PROGRAM[personal], PROGRAM[generic])
        if generic == "site-bestsellers":
            seen_at = trails.first_product_at + 900
        else:
            seen_at = visits.time + (700 if generic == "site-banner" else 1_600)
        rows = Contacts(
            person=visits.person,
            program=program.astype(np.int8),
            content=calendar.content(program, visits.time, variant),
            sent_at=np.full(count, NEVER),
            seen_at=seen_at,
            clicked_at=np.where(is_clicked, seen_at + 5_000, NEVER),
            step=visits.step,
            visit=np.arange(count, dtype=np.int32),
            is_held_out=np.zeros(count, bool),
        )
        parts.append(rows.take(is_shown))
    return Contacts.concatenate(parts)
