"""Planted defects of the events: which rows, of which kind, and where in which file they end up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apportion.simulate.draws import Draws, scramble, uniform
from apportion.simulate.events import Events
from apportion.simulate.shop import DAY

(
    NONE,
    EXACT_COPY,
    NEAR_COPY,
    LATE,
    OUT_OF_ORDER,
    SKEWED,
    BROKEN_JSON,
    BAD_TIMESTAMP,
    BAD_AMOUNT,
) = range(9)

KINDS = (
    "",
    "exact_duplicate",
    "near_duplicate",
    "late",
    "out_of_order",
    "clock_skew",
    "broken_json",
    "bad_timestamp",
    "bad_amount",
)
"""Names of the kinds, by number."""

OUTCOMES = {
    "exact_duplicate": "duplicate",
    "near_duplicate": "duplicate",
    "late": "late",
    "out_of_order": "out_of_order",
    "clock_skew": "skewed",
    "broken_json": "quarantined",
    "bad_timestamp": "quarantined",
    "bad_amount": "quarantined",
    "ragged_row": "quarantined",
    "unknown_currency": "unknown_currency",
    "header_renamed": "schema_change",
    "column_dropped": "schema_change",
    "file_delivered_twice": "duplicate_file",
    "file_corrected": "replaced",
}
"""What should become of each kind."""

SHARES = {
    EXACT_COPY: 0.005,
    NEAR_COPY: 0.005,
    LATE: 0.02,
    OUT_OF_ORDER: 0.03,
    SKEWED: 0.005,
    BROKEN_JSON: 0.0008,
    BAD_TIMESTAMP: 0.0008,
    BAD_AMOUNT: 0.0004,
}
"""Share of the events with each kind of defect."""

_HOUR = 3_600_000


@dataclass
class Landed:
    """The rows of the event files in their order; arrays of n.

    Attributes:
        event: number of the event that a row tells of.
        occurred, received: milliseconds, as the row says them.
        day: day of its file.
        line: line in its file, from 1.
        kind: number into KINDS; of a pair of copies the later row has it.
        file_start: (days + 1) row with which each day's file begins.
    """

    event: np.ndarray
    occurred: np.ndarray
    received: np.ndarray
    day: np.ndarray
    line: np.ndarray
    kind: np.ndarray
    file_start: np.ndarray

    @property
    def is_quarantined(self) -> np.ndarray:
        """Whether a row cannot be loaded."""
        return self.kind >= BROKEN_JSON


def plant(draws: Draws, told: Events, days: int) -> Landed:
    """Put events into a file per day, by the time of receipt, and damage some of the rows.

    An event is received within five seconds. A row has at most one defect.
    """
    count, end = len(told), days * DAY
    number = np.arange(count)
    chance = [uniform(draws.key("defects", purpose), number) for purpose in range(4)]
    occurred = told.time.copy()
    received = occurred + 40 + (chance[1] ** 3 * 4_900).astype(np.int64)
    kind = _choose(draws, told, chance[0], chance[2], received, end)

    # Later by 1 to 5 days; the clock ahead by 10 minutes to 6 hours; written later in the file.
    received += np.where(kind == LATE, ((1 + 4 * chance[2]) * DAY).astype(np.int64), 0)
    ahead = ((1 / 6 + 5.8 * chance[2]) * _HOUR).astype(np.int64)
    occurred += np.where(kind == SKEWED, ahead, 0)
    day = np.minimum(received // DAY, days - 1)
    displaced = ((1 / 6 + 1.8 * chance[2]) * _HOUR).astype(np.int64)
    place = received + np.where(kind == OUT_OF_ORDER, displaced, 0)

    exact, near = np.flatnonzero(kind == EXACT_COPY), np.flatnonzero(kind == NEAR_COPY)
    kind[exact] = kind[near] = NONE
    # Three in ten are delivered again the next day, and stand at the top of its file.
    again = day[exact] + (chance[3][exact] < 0.3)
    resent = received[near] + 1_000 + (59_000 * chance[2][near]).astype(np.int64)
    event = np.concatenate([number, exact, near])
    occurred = np.concatenate([occurred, occurred[exact], occurred[near]])
    place = np.concatenate([place, place[exact], resent])
    received = np.concatenate([received, received[exact], resent])
    day = np.concatenate([day, np.minimum(again, days - 1), np.minimum(resent // DAY, days - 1)])
    kind = np.concatenate(
        [kind, np.full(len(exact), EXACT_COPY), np.full(len(near), NEAR_COPY)]
    ).astype(np.int8)

    order = np.lexsort((place, day))
    event, occurred, received, day, kind = (
        column[order] for column in (event, occurred, received, day, kind)
    )
    file_start = np.searchsorted(day, np.arange(days + 1))
    kind = _really_out_of_order(kind, day, received)
    return Landed(
        event=event,
        occurred=occurred,
        received=received,
        day=day.astype(np.int32),
        line=np.arange(len(day)) - file_start[day] + 1,
        kind=kind,
        file_start=file_start,
    )


def _choose(
    draws: Draws,
    told: Events,
    chance: np.ndarray,
    size: np.ndarray,
    received: np.ndarray,
    end: int,
) -> np.ndarray:
    """The kind of defect of each event: by chance where it can be, and each kind at least once."""
    possible = {
        EXACT_COPY: np.ones(len(told), bool),
        NEAR_COPY: received + 60_000 < end,
        LATE: received + ((1 + 4 * size) * DAY).astype(np.int64) < end,
        OUT_OF_ORDER: received % DAY < 21 * _HOUR,
        SKEWED: told.time + 6 * _HOUR < end,
        BROKEN_JSON: np.ones(len(told), bool),
        BAD_TIMESTAMP: np.ones(len(told), bool),
        BAD_AMOUNT: ~np.isnan(told.value),
    }
    kind = np.zeros(len(told), np.int8)
    floor = 0.0
    for one, share in SHARES.items():
        # Amounts are rare among events: each has a greater chance, for the same share of all.
        if one == BAD_AMOUNT and possible[one].any():
            share = min(share / possible[one].mean(), 0.05)
        kind[(chance >= floor) & (chance < floor + share) & possible[one]] = one
        floor += share
    for one in SHARES:
        if not (kind == one).any():
            free = np.flatnonzero((kind == NONE) & possible[one])
            if len(free):
                kind[free[np.argmin(scramble(draws.key("defects", 10 + one), free))]] = one
    return kind


def _really_out_of_order(kind: np.ndarray, day: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Take the mark from displaced rows that no row received later stands before."""
    key = day.astype(np.int64) * (np.int64(1) << 42) + received
    latest = np.maximum.accumulate(np.where(kind >= BROKEN_JSON, 0, key))
    return np.where((kind == OUT_OF_ORDER) & (latest <= key), NONE, kind).astype(np.int8)
