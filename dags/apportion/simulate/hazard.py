"""Who buys: a hazard in steps of six hours, in the world as it is and without some touches.

All worlds run side by side on the same random numbers, so that what differs is the touches alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apportion.simulate.draws import Draws
from apportion.simulate.messages import Contacts
from apportion.simulate.people import NEVER, People
from apportion.simulate.shop import (
    CHANNELS,
    EXPERIMENTS,
    GROUP_OF_PROGRAM,
    GROUPS,
    PROGRAM,
    PROGRAMS,
    SEGMENTS,
    STEP,
    STEPS_PER_DAY,
    TACTICS,
)
from apportion.simulate.visits import Visits
from apportion.simulate.worlds import World

SEEN, CLICKED = 1.0, 1.5
"""Exposure by seeing a message, and what a click adds."""

WANTING = 8.0
"""How many times more likely an order is on a day on which the person wants something, less one."""

_HABIT = 0.15
_HABITUAL_ORDERS = 4
_SATED_STEPS = 8
_SATED = 0.25
_TARGETED = {PROGRAM["search"], *(n for n, item in enumerate(PROGRAMS) if item.is_personalized)}


@dataclass(frozen=True)
class Scenario:
    """A world in which some touches are missing.

    Attributes:
        dimension: total, channel, tactic, personalization or experiment; '' for the world as it is.
        value: which.
        removed: groups (channel, tactic) without touches.
        treats_everybody: nobody is held out by an experiment.
    """

    dimension: str
    value: str
    removed: frozenset[tuple[str, str]] = frozenset()
    treats_everybody: bool = False


def scenarios() -> list[Scenario]:
    """The world as it is, and one world per thing whose worth is to be known."""
    found = [Scenario("", "")]
    found.append(Scenario("total", "all", frozenset(GROUPS)))
    for channel in CHANNELS:
        removed = frozenset(group for group in GROUPS if group[0] == channel)
        found.append(Scenario("channel", channel, removed))
    for tactic in (*TACTICS, "none"):
        removed = frozenset(group for group in GROUPS if group[1] == tactic)
        found.append(Scenario("tactic", tactic, removed))
    personalized = frozenset(group for group in GROUPS if group[1] != "none")
    found.append(Scenario("personalization", "all", personalized))
    for experiment in EXPERIMENTS:
        removed = frozenset(
            (item.channel, item.tactic) for item in PROGRAMS if item.experiment == experiment
        )
        found.append(Scenario("experiment", experiment, removed))
    found.append(Scenario("experiment", "nobody held out", treats_everybody=True))
    return found


@dataclass
class Exposures:
    """Touches as the hazard sees them, sorted by step; arrays of n.

    Attributes:
        step, person: when and who.
        group: number into GROUPS; of a touch that was held out, plus len(GROUPS).
        amount: exposure that it adds.
    """

    step: np.ndarray
    person: np.ndarray
    group: np.ndarray
    amount: np.ndarray


def exposures(contacts: Contacts, visits: Visits) -> Exposures:
    """The exposures of messages, and of the visits that search ads and affiliates brought."""
    is_seen, is_clicked = contacts.seen_at < NEVER, contacts.clicked_at < NEVER
    amount = SEEN * is_seen + CLICKED * is_clicked
    rows = contacts.take(amount > 0)
    group = GROUP_OF_PROGRAM[rows.program] + len(GROUPS) * rows.is_held_out
    search = np.isin(visits.program, [PROGRAM["search"], PROGRAM["affiliate"]])
    step = np.concatenate([rows.step, visits.step[search]])
    person = np.concatenate([rows.person, visits.person[search]])
    group = np.concatenate([group, GROUP_OF_PROGRAM[visits.program[search]]])
    amount = np.concatenate([amount[amount > 0], np.full(search.sum(), SEEN + CLICKED)])
    order = np.argsort(step, kind="stable")
    return Exposures(
        step[order], person[order], group[order].astype(np.int64), amount[order].astype(np.float32)
    )


def effects(world: World) -> np.ndarray:
    """(groups, segments) effect of a full exposure on the log hazard."""
    targeted = {GROUP_OF_PROGRAM[number] for number in _TARGETED}
    table = np.zeros((len(GROUPS), len(SEGMENTS)))
    for row, ((_, tactic), effect) in enumerate(GROUPS.items()):
        factor = world.effect * (world.targeted_effect if row in targeted else 1.0)
        for column, segment in enumerate(SEGMENTS):
            response = 1.0
            if tactic != "none":
                response += world.heterogeneity * segment.response[TACTICS.index(tactic)]
            table[row, column] = effect * factor * response
    return table


@dataclass
class Orders:
    """The orders of one scenario; arrays of n, by step and person.

    Attributes:
        person, step: who, and in which step.
        chance: probability of the order in its step.
        baseline: the same without any touch, at the same past.
    """

    person: np.ndarray
    step: np.ndarray
    chance: np.ndarray
    baseline: np.ndarray


@dataclass
class Outcome:
    """What happened in each scenario.

    Attributes:
        orders: per scenario.
        expected: (scenarios, segments) sum of the probabilities along its own past.
    """

    orders: list[Orders]
    expected: np.ndarray


def run(
    world: World,
    draws: Draws,
    people: People,
    wanting: np.ndarray,
    season: np.ndarray,
    touches: Exposures,
    worlds: list[Scenario],
) -> Outcome:
    """Let time go by in all scenarios at once.

    The result of a scenario does not depend on which others run beside it.

    Args:
        world: its parameters.
        draws: the seed's streams.
        people: who.
        wanting: (people, days) what they want to buy, -1 nothing.
        season: (days) factor of the season.
        touches: exposures, sorted by step.
        worlds: the scenarios.
    """
    count, groups, shape = len(people), len(GROUPS), (len(worlds), len(people))
    stream = draws.stream("hazard")
    kept = [_kept(scenario) for scenario in worlds]
    effect = np.tile(effects(world), (2, 1)).astype(np.float32)[:, people.segment]
    helped = [_rows_of(tactic) for tactic in ("email_personalization", "retargeting")]
    rate = np.array([kind.orders for kind in SEGMENTS])[people.segment]
    share = (people.step_share * rate[:, None]).T.astype(np.float32)
    decay = np.float32(0.5 ** (1.0 / (world.half_life_days * STEPS_PER_DAY)))
    arrives = -(-(people.arrives_at - people.offset) // STEP)

    exposure = np.zeros((2 * groups, count), np.float32)
    bought = np.zeros(shape, np.float32)
    last = np.full(shape, -1_000_000, np.int32)
    chances = np.zeros(shape)
    none = np.zeros(0, np.int64)
    found: list[tuple[np.ndarray, ...]] = [(none, none, none.astype(np.int32), none, none)]
    steps = len(season) * STEPS_PER_DAY - 1
    bounds = np.searchsorted(touches.step, np.arange(steps + 1))
    for step in range(steps):
        day = step // STEPS_PER_DAY
        exposure *= decay
        now = slice(bounds[step], bounds[step + 1])
        np.add.at(
            exposure.reshape(-1),
            touches.group[now] * count + touches.person[now],
            touches.amount[now],
        )
        felt = 1.0 - np.exp(exposure * np.float32(-1.0 / world.saturation))
        lift = _sums(felt * effect, kept)
        if world.synergy:
            both = [np.minimum(_sums(felt, [rows & r for rows in kept]), 1.0) for r in helped]
            lift += np.float32(world.synergy * world.effect) * both[0] * both[1]
        baseline = share[step % STEPS_PER_DAY] * np.float32(season[day])
        baseline = baseline * np.where(wanting[:, day] >= 0, 1 + WANTING, 1.0).astype(np.float32)
        baseline = baseline * (step >= arrives)
        habit = 1.0 + _HABIT * np.minimum(bought, _HABITUAL_ORDERS)
        habit = habit * np.where(step - last <= _SATED_STEPS, _SATED, 1.0).astype(np.float32)
        without = baseline * habit
        chance = -np.expm1(-without * np.exp(lift))
        chances += chance
        orders = stream.random(count, np.float32) < chance
        scenario, person = np.nonzero(orders)
        if len(person):
            bought[scenario, person] += 1
            last[scenario, person] = step
            found.append(
                (
                    scenario,
                    person,
                    np.full(len(person), step, np.int32),
                    chance[scenario, person],
                    -np.expm1(-without[scenario, person]),
                )
            )
    columns = [np.concatenate(part) for part in zip(*found, strict=True)]
    expected = np.zeros((len(worlds), len(SEGMENTS)))
    for number in range(len(SEGMENTS)):
        expected[:, number] = chances[:, people.segment == number].sum(axis=1)
    orders_of = [
        Orders(*(column[columns[0] == row] for column in columns[1:])) for row in range(len(worlds))
    ]
    return Outcome(orders_of, expected)


def _kept(scenario: Scenario) -> frozenset[int]:
    """Rows of exposures that count in a scenario."""
    rows = [number for number, group in enumerate(GROUPS) if group not in scenario.removed]
    held_out = [row + len(GROUPS) for row in rows] if scenario.treats_everybody else []
    return frozenset(rows + held_out)


def _sums(values: np.ndarray, kept: list[frozenset[int]]) -> np.ndarray:
    """(scenarios, people) sums of the rows that each scenario keeps.

    Where it keeps most of those that really happened, the few others are taken from their sum. (A
    product of matrices does the same, in as many threads as there are cores, all of them waiting.)
    """
    real = frozenset(range(len(GROUPS)))
    whole = values[: len(GROUPS)].sum(axis=0)
    sums = np.empty((len(kept), values.shape[1]), np.float32)
    for row, rows in enumerate(kept):
        gone = real - rows
        if rows <= real and len(gone) < len(rows):
            sums[row] = whole - values[sorted(gone)].sum(axis=0) if gone else whole
        else:
            sums[row] = values[sorted(rows)].sum(axis=0)
    return sums


def _rows_of(tactic: str) -> frozenset[int]:
    """Rows of exposures of a tactic, held out or not."""
    rows = [number for number, group in enumerate(GROUPS) if group[1] == tactic]
    return frozenset(rows + [row + len(GROUPS) for row in rows])
