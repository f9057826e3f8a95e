"""The attribution engine against a brute-force witness in plain Python, on random journeys.

The engine's SQL is compiled once by dbt; each example is a few tables in memory that it is run on.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apportion.fit import ATTRIBUTION_TABLES

DBT = str(Path(sys.executable).with_name("dbt"))
DAY = 86400.0
HALF_LIFE = 7 * DAY
FIRST, LAST, ROLE = 0.4, 0.4, 0.3
HALF_SATURATION = 60.0
NOON = dt.datetime(2026, 3, 1, 12)
CUSTOM_WEIGHTS = {
    ("element", "email"): 3.0,
    ("element", "direct"): 0.0,
    ("touch_type", "view"): 0.5,
}
# What was learned of the elements, in the scope all: paid_search is one of the rarest, `other`.
LEARNED = {
    "markov_1": {"direct": 0.2, "email": 0.5, "other": 0.3},
    "markov_2": {"direct": -0.1, "email": 0.0, "other": 0.4},
    "markov_3": {"direct": 0.0, "email": 0.25, "other": 0.125},
    "shapley": {"direct": 0.01, "email": -0.02, "other": 0.03},
}
LEARNED_ELEMENT = {"direct": "direct", "email": "email", "paid_search": "other"}
ELEMENT_CODES = {"email": 0, "direct": 1, "other": 2}
# Conversions of every five journeys that took a path, of up to three touches.
PATH_CONVERSIONS = {
    path: (3 * sum(7**place * (1 + ELEMENT_CODES[e]) for place, e in enumerate(path))) % 5
    for length in (1, 2, 3)
    for path in itertools.product(ELEMENT_CODES, repeat=length)
}
CHANNELS = {"direct": (True, False), "email": (False, False), "paid_search": (False, True)}
"""Channel -> (is_direct, is_paid)."""


@dataclass(frozen=True)
class Touch:
    """One touchpoint: `seconds` before its conversion."""

    seconds: int
    channel: str = "email"
    touch_type: str = "click"
    base_weight: float = 1.0
    engagement_seconds: float | None = 0.0
    is_personalized: bool = False


@dataclass(frozen=True)
class Journey:
    """One conversion, its touches in order, and the seconds from the person's lead to it."""

    touches: tuple[Touch, ...]
    lead_seconds: int | None = None
    revenue: int = 0


# --- The witness: every rule as the documentation words it, one touch after the other. ---


def normalised(weights: list[float], fallback: list[float] | None = None) -> list[float]:
    """Weights divided by their sum; the fallback's shares where that is 0."""
    total = sum(weights)
    if total > 0:
        return [weight / total for weight in weights]
    assert fallback is not None
    return fallback


def only(chosen: int | None, count: int) -> list[float]:
    """All weight on one touch, or none at all."""
    return [1.0 if number == chosen else 0.0 for number in range(count)]


def learned(touches: list[Touch], linear: list[float], last: list[float]) -> dict:
    """The data-driven models' shares: weights by element, shared by its touches; gains by path."""
    path = tuple(LEARNED_ELEMENT[touch.channel] for touch in touches)
    shares = {
        model: normalised([max(weights[e], 0) / path.count(e) for e in path], linear)
        for model, weights in LEARNED.items()
    }
    gains = [
        (PATH_CONVERSIONS.get(path, 0) - PATH_CONVERSIONS.get(path[:n] + path[n + 1 :], 0)) / 5
        for n in range(len(path))
    ]
    return shares | {"leave_one_out": normalised([max(gain, 0) for gain in gains], last)}


def witness(journey: Journey, touches: list[Touch], scope: str) -> dict[str, list[float]]:
    """Each model's shares of the touches, which are in order and at least one."""
    count = len(touches)
    last_seconds = min(touch.seconds for touch in touches)
    not_direct = [n for n, touch in enumerate(touches) if not CHANNELS[touch.channel][0]]
    paid = [n for n, touch in enumerate(touches) if CHANNELS[touch.channel][1]]
    lead = None
    if journey.lead_seconds is not None and journey.lead_seconds >= 0:
        before = [n for n, touch in enumerate(touches) if touch.seconds >= journey.lead_seconds]
        lead = max(before, default=None)

    first = only(0, count)
    last = only(count - 1, count)
    linear = normalised([1.0] * count)
    last_non_direct = normalised(only(max(not_direct, default=None), count), last)

    if count == 1:
        position = [1.0]
    elif count == 2:
        position = [FIRST / (FIRST + LAST), LAST / (FIRST + LAST)]
    else:
        position = [FIRST, *[(1 - FIRST - LAST) / (count - 2)] * (count - 2), LAST]

    w_shaped = position
    if lead is not None:
        roles = [0.0] * count
        for number in (0, lead, count - 1):
            roles[number] += ROLE
        others = [number for number in range(count) if roles[number] == 0.0]
        for number in others:
            roles[number] = (1 - 3 * ROLE) / len(others)
        w_shaped = normalised(roles)

    engaged = []
    for touch in touches:
        seconds = touch.engagement_seconds or 0.0
        engaged.append(touch.base_weight * (1 + seconds / (seconds + HALF_SATURATION)))

    custom = [
        CUSTOM_WEIGHTS.get(("element", touch.channel), 1.0)
        * CUSTOM_WEIGHTS.get(("touch_type", touch.touch_type), 1.0)
        for touch in touches
    ]
    elements = [touch.channel for touch in touches]
    # Nothing was learned of the scope personalized.
    data_driven = dict.fromkeys(LEARNED, linear) | {"leave_one_out": last}
    return (learned(touches, linear, last) if scope == "all" else data_driven) | {
        "first_touch": first,
        "last_touch": last,
        "first_non_direct_touch": normalised(only(min(not_direct, default=None), count), first),
        "last_non_direct_touch": last_non_direct,
        "last_paid_touch": normalised(only(max(paid, default=None), count), last_non_direct),
        "linear": linear,
        "unique_linear": normalised([1 / elements.count(element) for element in elements]),
        "time_decay": normalised(
            [2 ** (-(touch.seconds - last_seconds) / HALF_LIFE) for touch in touches]
        ),
        "position_based": position,
        "w_shaped": w_shaped,
        "engagement_weighted": normalised(engaged, linear),
        "custom_weighted": normalised(custom, linear),
    }


# --- The engine: its compiled SQL on tables in memory. ---

TABLES = """
create schema warehouse.intermediate;
create schema warehouse.seeds;
create table warehouse.intermediate.int_attribution__conversions (
    conversion_id varchar, user_key varchar, conversion_type varchar, revenue decimal(18, 4),
    clv decimal(18, 4), is_lead boolean, converted_at timestamp
);
create table warehouse.intermediate.int_touchpoints__collapsed (
    touchpoint_id varchar, touch_type varchar, channel varchar, campaign_id varchar,
    content_id varchar, tactic varchar, base_weight double, engagement_seconds double,
    is_direct boolean, is_paid boolean, is_personalized boolean
);
create table warehouse.intermediate.int_journeys__touchpoints (
    conversion_id varchar, touchpoint_id varchar, touch_number bigint,
    microseconds_to_conversion bigint, is_converted boolean, touched_at timestamp,
    converted_at timestamp
);
create table warehouse.seeds.attribution_custom_weights (
    dimension varchar, value varchar, weight double
);
create schema warehouse.ml;
""" + "".join(
    f"create table warehouse.ml.{table} ({columns});"
    for table, columns in ATTRIBUTION_TABLES.items()
)


@dataclass
class Engine:
    """The compiled SQL of the wide credits, and the connection that it runs on."""

    connection: duckdb.DuckDBPyConnection
    sql: str

    def credits(
        self, journeys: list[Journey], backwards: bool = False
    ) -> dict[tuple[str, str, int | None], dict[str, float]]:
        """Credit by model of each (scope, conversion, touch); no touch is None."""
        conversions, touchpoints, pairs = [], [], []
        for number, journey in enumerate(journeys):
            key = f"c{number}"
            conversions.append((key, key, "order", journey.revenue, journey.revenue, False, NOON))
            if journey.lead_seconds is not None:
                lead_at = NOON - dt.timedelta(seconds=journey.lead_seconds)
                conversions.append((f"{key}_lead", key, "lead", 0, 0, True, lead_at))
            for position, touch in enumerate(journey.touches):
                touch_key = f"{key}_{position:03d}"
                tactic = "retargeting" if touch.is_personalized else "none"
                touchpoints.append(
                    (
                        touch_key,
                        touch.touch_type,
                        touch.channel,
                        None,
                        None,
                        tactic,
                        touch.base_weight,
                        touch.engagement_seconds,
                        *CHANNELS[touch.channel],
                        touch.is_personalized,
                    )
                )
                touched_at = NOON - dt.timedelta(seconds=touch.seconds)
                microseconds = touch.seconds * 1_000_000
                pairs.append((key, touch_key, position + 1, microseconds, True, touched_at, NOON))
        for table, rows in (
            ("intermediate.int_attribution__conversions", conversions),
            ("intermediate.int_touchpoints__collapsed", touchpoints),
            ("intermediate.int_journeys__touchpoints", pairs),
        ):
            self.connection.execute(f"delete from warehouse.{table}")
            if rows:
                marks = ", ".join("?" for _ in rows[0])
                self.connection.executemany(
                    f"insert into warehouse.{table} values ({marks})",
                    rows[::-1] if backwards else rows,
                )
        result = self.connection.execute(self.sql)
        names = [column[0] for column in result.description]
        found = {}
        for row in result.fetchall():
            values = dict(zip(names, row, strict=True))
            if values["conversion_type"] == "lead":
                continue
            touchpoint = values["touchpoint_id"]
            key = (
                values["attribution_scope"],
                values["conversion_id"],
                None if touchpoint is None else int(touchpoint.rsplit("_", 1)[1]),
            )
            assert key not in found
            found[key] = {
                name.removeprefix("credit_"): value
                for name, value in values.items()
                if name.startswith("credit_")
            }
        return found


@pytest.fixture(scope="module")
def engine(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("attribution")
    result = subprocess.run(
        [
            *(DBT, "compile", "--quiet", "--no-introspect"),
            *("--select", "int_attribution__apportioned", "--output", "json"),
            *("--project-dir", str(project), "--profiles-dir", str(project)),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        env=os.environ | {"APPORTION_DATA": str(folder)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as warehouse")
    connection.execute(TABLES)
    connection.executemany(
        "insert into warehouse.seeds.attribution_custom_weights values (?, ?, ?)",
        [(*key, weight) for key, weight in CUSTOM_WEIGHTS.items()],
    )
    learn(connection)
    yield Engine(connection, json.loads(result.stdout)["compiled"])
    connection.close()


def learn(connection: duckdb.DuckDBPyConnection) -> None:
    """Two versions: the one that holds at NOON, and one after it, which must not be looked at."""
    weights = [
        (version, valid_from, model, "all", "order", 0, element, element == "other",
         ELEMENT_CODES[element] if model == "leave_one_out" else None,
         weight if version == 1 else 9)
        for version, valid_from in ((1, NOON), (2, NOON + dt.timedelta(microseconds=1)))
        for model, elements in (LEARNED | {"leave_one_out": ELEMENT_CODES}).items()
        for element, weight in elements.items()
    ]  # fmt: skip
    connection.executemany(
        "insert into warehouse.ml.attribution_element_weights (version, valid_from,"
        " attribution_model, attribution_scope, conversion_type, replicate, element, is_grouped,"
        " element_code, weight) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        # A bootstrap replicate is no weight.
        [*weights, (1, NOON, "markov_1", "all", "order", 1, "email", False, None, 7.0)],
    )
    rates = [
        (len(path), sum(ELEMENT_CODES[e] << 6 * place for place, e in enumerate(path)), count)
        for path, count in PATH_CONVERSIONS.items()
        if count
    ]
    connection.executemany(
        "insert into warehouse.ml.attribution_path_rates (version, valid_from, attribution_scope,"
        f" conversion_type, journeys_count, touch_count, path_code, conversions_count)"
        f" values (1, timestamp '{NOON}', 'all', 'order', 5, ?, ?, ?)",
        rates,
    )


touches = st.builds(
    Touch,
    # Few instants, so that ties are common; also the very instant of the conversion.
    seconds=st.sampled_from([0, 1, 3600, 86400, 259200, 604800, 2592000]) | st.integers(0, 2592000),
    channel=st.sampled_from(sorted(CHANNELS)),
    touch_type=st.sampled_from(["session", "view", "click"]),
    base_weight=st.sampled_from([0.0, 0.3, 1.0]),
    engagement_seconds=st.none() | st.floats(0, 100000),
    is_personalized=st.booleans(),
)
journeys = st.builds(
    Journey,
    touches=st.lists(touches, max_size=8).map(
        lambda some: tuple(sorted(some, key=lambda touch: -touch.seconds))
    ),
    lead_seconds=st.none() | st.sampled_from([-1, 0, 1, 3600, 86400, 604800]),
    revenue=st.integers(0, 1000),
)
slow_enough = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def in_scope(journey: Journey, scope: str) -> list[int]:
    return [n for n, touch in enumerate(journey.touches) if scope == "all" or touch.is_personalized]


def is_aggregated_only(scope: str) -> bool:
    return scope.startswith("channel:")


@slow_enough
@given(some=st.lists(journeys, min_size=1, max_size=12))
def test_every_model_equals_the_witness(engine: Engine, some: list[Journey]) -> None:
    actual = {k: v for k, v in engine.credits(some).items() if not is_aggregated_only(k[0])}
    expected = {}
    for number, journey in enumerate(some):
        for scope in ("all", "personalized"):
            numbers = in_scope(journey, scope)
            if not numbers:
                whole = {model: 1.0 for model in next(iter(actual.values()))}
                expected[scope, f"c{number}", None] = whole
                continue
            shares = witness(journey, [journey.touches[n] for n in numbers], scope)
            for index, n in enumerate(numbers):
                expected[scope, f"c{number}", n] = {m: s[index] for m, s in shares.items()}
    assert actual.keys() == expected.keys()
    for key, credits in expected.items():
        assert actual[key] == pytest.approx(credits, rel=1e-12, abs=1e-12), key


@slow_enough
@given(some=st.lists(journeys, min_size=1, max_size=12))
def test_credit_is_whole_not_negative_and_within_its_scope(
    engine: Engine, some: list[Journey]
) -> None:
    sums: dict[tuple[str, str, str], float] = {}
    for (scope, conversion, touch), credits in engine.credits(some).items():
        if scope == "personalized" and touch is not None:
            assert some[int(conversion[1:])].touches[touch].is_personalized
        if is_aggregated_only(scope):
            assert scope == f"channel:{some[int(conversion[1:])].touches[touch].channel}"
        for model, credit in credits.items():
            assert credit >= 0
            sums[scope, conversion, model] = sums.get((scope, conversion, model), 0.0) + credit
    channels = [len({touch.channel for touch in journey.touches}) for journey in some]
    assert len({(scope, conversion) for scope, conversion, _ in sums}) == sum(channels) + 2 * len(
        some
    )
    assert all(abs(total - 1) < 1e-9 for total in sums.values())


@slow_enough
@given(some=st.lists(journeys, min_size=1, max_size=12))
def test_the_order_of_input_rows_does_not_matter(engine: Engine, some: list[Journey]) -> None:
    forwards, backwards = engine.credits(some), engine.credits(some, backwards=True)
    assert forwards.keys() == backwards.keys()
    for key, credits in forwards.items():
        assert backwards[key] == pytest.approx(credits, rel=1e-12), key


def test_a_long_journey_neither_underflows_nor_loses_credit(engine: Engine) -> None:
    """500 touches over ten years: the oldest weigh 2^-521 and the credit is still whole."""
    step = 3650 * 86400 // 500
    journey = Journey(tuple(Touch(seconds=step * n) for n in range(500, 0, -1)))
    credits = engine.credits([replace(journey, lead_seconds=0)])
    for model in next(iter(credits.values())):
        total = sum(row[model] for (scope, _, _), row in credits.items() if scope == "all")
        assert total == pytest.approx(1, abs=1e-9), model
    assert credits["all", "c0", 499]["time_decay"] > 0.4


@pytest.mark.parametrize(
    "journey",
    [
        Journey((), revenue=10),
        Journey(tuple(Touch(seconds=0) for _ in range(40)), lead_seconds=0),
        Journey((Touch(1, "a > b"), Touch(1, "null"), Touch(0, ""), Touch(0, "🛒")), revenue=-7),
        Journey((Touch(5), Touch(4, "🛒")), revenue=0),
        Journey(tuple(Touch(n, f"channel {n}") for n in range(500, 0, -1)), revenue=1),
    ],
    ids=[
        "no touch",
        "one instant",
        "strange names, negative revenue",
        "no revenue",
        "500 channels",
    ],
)
def test_bad_input_leaves_credit_whole(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, journey: Journey
) -> None:
    for touch in journey.touches:
        if touch.channel not in CHANNELS:
            monkeypatch.setitem(CHANNELS, touch.channel, (False, False))
    credits = engine.credits([journey])
    whole = [row for (scope, _, _), row in credits.items() if scope == "all"]
    assert len(whole) == max(len(journey.touches), 1)
    for model in whole[0]:
        shares = [row[model] for row in whole]
        assert min(shares) >= 0
        assert sum(shares) == pytest.approx(1, abs=1e-9), model
