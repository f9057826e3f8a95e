"""The solvers of the data-driven models against dense linear algebra, brute force and themselves.

The macros are compiled once by dbt; each example is a few tables in memory that the SQL is run on.
"""

from __future__ import annotations

import itertools
import math
import os
import random
from collections import Counter, defaultdict
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apportion import transform
from apportion.settings import Settings

Path_ = tuple[str, ...]
Paths = list[tuple[Path_, bool]]
"""Elements in order, and whether the journey converted."""

ELEMENTS = 5
MACROS = {
    "training_journeys": "attribution_training_journeys('named', 'elements')",
    "long_touches": "attribution_long_touches('named', 'elements', 'training_journeys')",
    "grams": "markov_grams('training_journeys', 'long_touches')",
    **{f"transitions_{k}": f"markov_transitions('grams', {k})" for k in (1, 2, 3)},
    "squared": "markov_removal_effects('transitions')",
    "followed": "markov_tuple_removal_effects('transitions')",
    "shapley": "shapley_rate_values('journeys', 16)",
    "path_rates": "attribution_path_rates('training_journeys')",
    "path_gains": "attribution_path_gains('path_rates')",
    "elements": "attribution_training_elements('named', {'markov': 64, 'shapley': 16})",
    "replicates": "markov_replicate_transitions("
    "'people_of_journeys', 'training_journeys', 'long_touches', 'elements', 50, 1000)",
    "draws": "bootstrap_people('people', 50)",
}
# Journeys around the lengths at which a path's number begins its second half, and ends.
LONGEST = 23
# Each example is many small worlds that are solved side by side, as scopes and types are.
few = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL of each macro above."""
    folder = tmp_path_factory.mktemp("compiled")
    place = Settings(folder, folder / "landing")
    separator = "\n-- next\n"
    inline = separator.join("{{ " + call + " }}" for call in MACROS.values())
    result = transform.invoke(place, ["compile", "--inline", inline], quiet=True)
    assert result.success, result.exception
    texts = result.result.results[0].node.compiled_code.split(separator)
    return dict(zip(MACROS, texts, strict=True))


@pytest.fixture
def sql(compiled: dict[str, str]):
    """`sql(name)` replaces the table of that name by what the macro of that name gives."""
    connection = duckdb.connect()

    def keep(name: str, relation: str | None = None) -> list[dict]:
        table = relation or name
        connection.execute(f"create or replace table {table} as {compiled[name]}")
        found = connection.execute(f"from {table}")
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    keep.connection = connection
    yield keep
    connection.close()


def codes_of(paths: Paths) -> dict[str, int]:
    return {e: n + 1 for n, e in enumerate(sorted({e for path, _ in paths for e in path}))}


def land(sql, worlds: list[Paths]) -> None:
    """Write the touches of the paths, each world being a scope and the group of its number."""
    columns = ("attribution_scope", "journey_number", "touch_number", "element", "is_converted")
    touches = pd.DataFrame(
        [
            (f"w{world}", number, place + 1, element, converted)
            for world, paths in enumerate(worlds)
            for number, (path, converted) in enumerate(paths)
            for place, element in enumerate(path)
        ],
        columns=columns,
    )
    codes = pd.DataFrame(
        [
            (world, f"w{world}", element, code, code)
            for world, paths in enumerate(worlds)
            for element, code in codes_of(paths).items()
        ],
        columns=("group_number", "attribution_scope", "element", "markov_code", "shapley_code"),
    )
    for table, rows in (("named", touches), ("elements", codes)):
        sql.connection.register("landed", rows)
        sql.connection.execute(
            f"create or replace table {table} as select 'order' as conversion_type, * from landed"
        )
    sql("training_journeys")
    sql("long_touches")


def by_element(worlds: list[Paths], rows: list[dict], value: str) -> list[dict[str, float]]:
    """What the rows say of each element of each world."""
    names = [{code: element for element, code in codes_of(paths).items()} for paths in worlds]
    found: list[dict[str, float]] = [{} for _ in worlds]
    for row in rows:
        found[row["group_number"]][names[row["group_number"]][row["state"]]] = row[value]
    return found


# --- Witnesses ---


def dense_removal_effects(paths: Paths, order: int) -> dict[str, float]:
    """1 - P(conversion without e) / P(conversion), each by a dense solve of its own."""
    counts: dict[tuple, Counter] = defaultdict(Counter)
    for path, converted in paths:
        if len(path) < order:
            states = [path]
        else:
            states = [path[n : n + order] for n in range(len(path) - order + 1)]
            states = [state for state, _ in itertools.groupby(states)]
        for before, after in itertools.pairwise(["start", *states, "yes" if converted else "no"]):
            counts[before][after] += 1
    transient = list(counts)
    numbers = {state: number for number, state in enumerate(transient)}

    def conversion(removed: str | None) -> float:
        size = len(transient)
        chain, absorbed = np.zeros((size, size)), np.zeros(size)
        for state, following in counts.items():
            if removed is not None and state != "start" and removed in state:
                continue
            total = sum(following.values())
            for after, count in following.items():
                if after == "yes":
                    absorbed[numbers[state]] = count / total
                elif after != "no" and not (removed is not None and removed in after):
                    chain[numbers[state], numbers[after]] = count / total
        return np.linalg.solve(np.eye(size) - chain, absorbed)[numbers["start"]]

    whole = conversion(None)
    elements = {element for path, _ in paths for element in path}
    return {element: 1 - conversion(element) / whole for element in elements}


def brute_force_shapley(paths: Paths) -> dict[str, float]:
    """The mean marginal worth over every order of joining."""
    elements = sorted({element for path, _ in paths for element in path})

    def worth(members: frozenset) -> float:
        within = [converted for path, converted in paths if members.issuperset(path)]
        return sum(within) / len(within) if members and within else 0.0

    values = dict.fromkeys(elements, 0.0)
    orders = list(itertools.permutations(elements))
    for order in orders:
        joined: frozenset = frozenset()
        for element in order:
            values[element] += worth(joined | {element}) - worth(joined)
            joined |= {element}
    return {element: value / len(orders) for element, value in values.items()}


def removal_effects(sql, worlds: list[Paths], order: int, solver: str) -> list[dict[str, float]]:
    land(sql, worlds)
    sql("grams")
    sql(f"transitions_{order}", "transitions")
    rows = sql(solver)
    assert max(row["residual"] for row in rows) < 1e-9
    return by_element(worlds, rows, "removal_effect")


def shapley(sql, worlds: list[Paths]) -> list[dict[str, float]]:
    land(sql, worlds)
    sql.connection.execute(
        "create or replace table journeys as select group_number, shapley_elements as elements,"
        " count(*) as journeys_count, count(*) filter (is_converted) as conversions_count"
        " from training_journeys group by all"
    )
    rows = sql("shapley")
    assert max(row["residual"] for row in rows) < 1e-9
    return by_element(worlds, rows, "shapley_value")


def close(actual: list[dict], expected: list[dict], error: float) -> bool:
    return all(a == pytest.approx(b, abs=error) for a, b in zip(actual, expected, strict=True))


def simulated(count: int, elements: int, seed: int = 7) -> Paths:
    """Paths of a mean of four touches, their first element more often than their last."""
    dice = random.Random(seed)
    paths: Paths = []
    for _ in range(count):
        length = min(1 + int(dice.expovariate(0.3)), 60)
        path = tuple(f"e{int(elements * dice.random() ** 1.7):02d}" for _ in range(length))
        paths.append((path, dice.random() < 0.05 + 0.1 * ("e01" in path)))
    return paths


elements = st.sampled_from([f"e{n}" for n in range(ELEMENTS)])
lengths = st.one_of(st.integers(1, 7), st.integers(8, LONGEST))


def path_of(length: int) -> st.SearchStrategy[Path_]:
    return st.lists(elements, min_size=length, max_size=length).map(tuple)


some_paths = st.lists(
    st.tuples(lengths.flatmap(path_of), st.booleans()),
    min_size=1,
    max_size=30,
).filter(lambda paths: any(converted for _, converted in paths))
some_worlds = st.lists(some_paths, min_size=1, max_size=40)


@few
@given(worlds=some_worlds)
@pytest.mark.parametrize(
    ("order", "solver"), [(1, "squared"), (1, "followed"), (2, "followed"), (3, "followed")]
)
def test_removal_effects_equal_a_dense_solve(sql, worlds, order: int, solver: str) -> None:
    expected = [dense_removal_effects(paths, order) for paths in worlds]
    assert close(removal_effects(sql, worlds, order, solver), expected, 1e-9)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_removal_effects_of_simulated_paths_equal_a_dense_solve(sql, order: int) -> None:
    paths = simulated(20_000, elements=8)
    expected = dense_removal_effects(paths, order)
    solver = "squared" if order == 1 else "followed"
    assert removal_effects(sql, [paths], order, solver) == [pytest.approx(expected, abs=1e-8)]


def real_paths() -> Paths:
    """Offers received and viewed in a rewards app, up to each purchase or the end."""
    folder = os.environ.get("APPORTION_REAL_DATA", "")
    file = Path(folder) / "starbucks_rewards" / "transcript.parquet"
    if not folder or not file.exists():
        pytest.skip("APPORTION_REAL_DATA names no folder with starbucks_rewards in it")
    rows = duckdb.sql(
        f"select person, event, left(offer_id, 4) from '{file}'"
        " where event <> 'offer completed' order by person, time, event, offer_id limit 120000"
    ).fetchall()
    paths: Paths = []
    for _, events in itertools.groupby(rows, key=lambda row: row[0]):
        path: Path_ = ()
        for _, event, offer in events:
            if event != "transaction":
                path += (f"{event[6:]} {offer}",)
            elif path:
                paths.append((path, True))
                path = ()
        if path:
            paths.append((path, False))
    assert len(paths) > 10_000
    return paths


@pytest.mark.parametrize("order", [1, 2, 3])
def test_removal_effects_of_real_paths_equal_a_dense_solve(sql, order: int) -> None:
    paths = real_paths()
    expected = dense_removal_effects(paths, order)
    solver = "squared" if order == 1 else "followed"
    assert removal_effects(sql, [paths], order, solver) == [pytest.approx(expected, abs=1e-8)]


def test_a_chain_that_hardly_ends_is_solved_all_the_same(sql) -> None:
    """Two hundred touches to and fro between two elements, before one conversion."""
    paths: Paths = [(("a", "b") * 100, True), (("a",), False), (("b", "c"), False)]
    expected = dense_removal_effects(paths, 1)
    for solver in ("squared", "followed"):
        assert removal_effects(sql, [paths], 1, solver) == [pytest.approx(expected, abs=1e-8)]


def test_a_removal_effect_worked_by_hand(sql) -> None:
    """Of a-b yes, a no, b yes: without a only b is left (1 of 3 against 2 of 3), without b none."""
    paths: Paths = [(("a", "b"), True), (("a",), False), (("b",), True)]
    assert removal_effects(sql, [paths], 1, "squared") == [pytest.approx({"a": 1 / 2, "b": 1.0})]


def test_without_a_conversion_nothing_is_claimed(sql) -> None:
    paths: Paths = [(("a", "b"), False), (("a",), False)]
    for order, solver in ((1, "squared"), (2, "followed")):
        assert removal_effects(sql, [paths], order, solver) == [{"a": None, "b": None}]
    assert shapley(sql, [paths]) == [{"a": 0.0, "b": 0.0}]


def test_without_a_journey_that_did_not_convert_all_paths_lead_to_it(sql) -> None:
    paths: Paths = [(("a", "b"), True), (("a",), True)]
    assert removal_effects(sql, [paths], 1, "squared") == [pytest.approx({"a": 1.0, "b": 0.5})]
    assert shapley(sql, [paths]) == [pytest.approx(brute_force_shapley(paths))]


@few
@given(worlds=some_worlds)
def test_shapley_values_equal_brute_force_and_share_the_whole(sql, worlds) -> None:
    values = shapley(sql, worlds)
    assert close(values, [brute_force_shapley(paths) for paths in worlds], 1e-12)
    for paths, shares in zip(worlds, values, strict=True):
        rate = sum(converted for _, converted in paths) / len(paths)
        assert math.fsum(shares.values()) == pytest.approx(rate, abs=1e-9)


def test_sixteen_elements_share_the_whole(sql) -> None:
    paths = simulated(5_000, elements=16)
    (values,) = shapley(sql, [paths])
    assert len(values) == 16
    rate = sum(converted for _, converted in paths) / len(paths)
    assert math.fsum(values.values()) == pytest.approx(rate, abs=1e-9)


@few
@given(worlds=some_worlds)
def test_path_gains_equal_those_counted_path_by_path(sql, worlds) -> None:
    land(sql, worlds)
    sql("path_rates")
    actual = by_element(worlds, sql("path_gains"), "mean_gain")
    for paths, found in zip(worlds, actual, strict=True):
        outcomes = defaultdict(list)
        for path, converted in paths:
            # Longer paths are not remembered.
            if len(path) <= 20:
                outcomes[path].append(converted)
        gains = defaultdict(list)
        for path, converted in paths:
            for place, element in enumerate(path if converted and path in outcomes else ()):
                shorter = outcomes.get(path[:place] + path[place + 1 :], [0])
                rate = sum(outcomes[path]) / len(outcomes[path])
                gains[element].append(max(rate - sum(shorter) / len(shorter), 0.0))
        assert found == pytest.approx({e: sum(gain) / len(gain) for e, gain in gains.items()})


def test_the_rarest_of_many_elements_are_one(sql) -> None:
    """Beyond the limit, and with them one that is really called other, however frequent."""
    sql.connection.execute(
        "create table named as select 'all' as attribution_scope, 'order' as conversion_type,"
        " case when element = 0 then 'other' else 'e' || element end as element"
        " from range(20) as elements (element), range(20 - element) as touches (touch)"
    )
    rows = {row["element"]: row for row in sql("elements")}
    assert [rows[f"e{n}"]["shapley_code"] for n in range(1, 17)] == [*range(1, 16), 16]
    assert {e for e, row in rows.items() if row["shapley_is_grouped"]} == {
        "other", "e16", "e17", "e18", "e19"
    }  # fmt: skip
    assert {row["shapley_element"] for row in rows.values() if row["shapley_code"] == 16} == {
        "other"
    }
    assert not any(row["markov_is_grouped"] for row in rows.values())
    assert sorted(row["markov_code"] for row in rows.values()) == list(range(1, 21))


def test_draws_are_poisson_and_differ_by_replicate(sql) -> None:
    sql.connection.execute(
        "create table people as select md5(i::varchar) as user_key from range(20000) as r (i)"
    )
    rows = sql("draws")
    draws = np.array([[row[f"draws_{n}"] for n in range(1, 51)] for row in rows])
    assert draws.mean() == pytest.approx(1, abs=0.01)
    assert draws.var() == pytest.approx(1, abs=0.02)
    shares = np.bincount(draws.ravel())[:4] / draws.size
    assert shares == pytest.approx([math.exp(-1) / math.factorial(k) for k in range(4)], abs=0.003)
    assert abs(np.corrcoef(draws.T) - np.eye(50)).max() < 0.04


def test_a_replicate_counts_each_person_as_often_as_drawn(sql) -> None:
    paths = simulated(300, elements=3)
    land(sql, [paths])
    sql.connection.execute(
        "create or replace table people_of_journeys as select distinct"
        " journey_number, 'p' || journey_number % 97 as user_key from named;"
        "update named set attribution_scope = 'all'; update elements set attribution_scope = 'all'"
    )
    actual = {
        (row["group_number"], row["from_state"], row["to_state"]): row["transitions_count"]
        for row in sql("replicates")
    }
    sql.connection.execute(
        "create table people as select distinct user_key from people_of_journeys"
    )
    draws = {row["user_key"]: row for row in sql("draws")}
    codes = codes_of(paths)
    expected: Counter = Counter()
    for number, (path, converted) in enumerate(paths):
        states = [0, *(codes[e] for e in path), -1 if converted else -2]
        for move in itertools.pairwise(states):
            for replicate in range(1, 51):
                drawn = draws[f"p{number % 97}"][f"draws_{replicate}"]
                expected[replicate, *move] += drawn
    assert actual == {move: count for move, count in expected.items() if count}
