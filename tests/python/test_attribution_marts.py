"""What is made of credit, recounted in plain Python from a night on the small world."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict

import duckdb
import numpy as np
import pytest

from apportion import transform, warehouse
from apportion.settings import Settings

REPLICATES = 50


@pytest.fixture(scope="module")
def rows(small_night: Settings):
    """`rows(sql)`: the rows of a query on the small night, as dictionaries."""
    with warehouse.connect(small_night.warehouse, read_only=True) as connection:

        def fetch(query: str) -> list[dict]:
            result = connection.execute(query)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        yield fetch


def draws(person: str) -> list[int]:
    """How often a person is drawn in each replicate: Poisson by the digits of a digest."""
    drawn = []
    for replicate in range(REPLICATES):
        digest = hashlib.md5(f"{person}|{replicate // 4}".encode()).hexdigest()
        place = 8 * (replicate % 4)
        uniform = int(digest[place : place + 8], 16) / 2**32
        count, term = 0, math.exp(-1)
        below = term
        while uniform >= below:
            count += 1
            term /= count
            below += term
        drawn.append(count)
    return drawn


def interval(weighted: dict[str, float]) -> tuple[float, float]:
    """95 % of the replicates of a sum over people, of what each person has."""
    sums = np.zeros(REPLICATES)
    for person, value in weighted.items():
        sums += value * np.array(draws(person))
    return tuple(np.quantile(sums, [0.025, 0.975]))


@pytest.mark.parametrize("model", ["linear", "time_decay", "shapley"])
def test_an_interval_is_that_of_the_sums_over_drawn_people(rows, model: str) -> None:
    people: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows(
        "select user_key, conversion_id, channel, credit from marts.attribution_credits"
        f" where attribution_model = '{model}' and attribution_scope = 'all'"
        " and converted_at >= (select as_of - interval 90 day from ops.clock)"
    ):
        people[row["channel"]][row["user_key"] or row["conversion_id"]] += row["credit"]
    found = rows(
        "select * from marts.attribution_intervals"
        f" where attribution_model = '{model}' and attribution_scope = 'all'"
        " and dimension = 'channel' and period = 'last_90_days'"
    )
    assert len(found) == len(people) > 3
    for row in found:
        low, high = interval(people[row["dimension_value"]])
        assert row["conversions"] == pytest.approx(sum(people[row["dimension_value"]].values()))
        assert row["conversions_ci_low"] == pytest.approx(low, abs=1e-9)
        assert row["conversions_ci_high"] == pytest.approx(high, abs=1e-9)


def test_markov_is_refitted_in_each_replicate(rows) -> None:
    weights: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows(
        "select replicate, element, weight from ml.attribution_element_weights"
        " where attribution_model = 'markov_1' and attribution_scope = 'all'"
        " and conversion_type = 'order' and replicate > 0"
    ):
        weights[row["replicate"]][row["element"]] = row["weight"]
    assert len({tuple(sorted(found.items())) for found in weights.values()}) > 10
    journeys: dict[str, list] = defaultdict(list)
    for row in rows(
        "select * from intermediate.int_attribution__apportioned"
        " where attribution_scope = 'all' and conversion_type = 'order'"
    ):
        journeys[row["conversion_id"]].append(row)
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(REPLICATES))
    for conversion, touches in journeys.items():
        drawn = draws(touches[0]["user_key"] or conversion)
        for replicate in range(REPLICATES):
            known = weights[replicate + 1]
            shares = [
                max(known.get(touch["channel"], 0.0), 0.0) / (touch["element_count"] or 1)
                for touch in touches
            ]
            if sum(shares) == 0:
                shares = [1.0] * len(touches)
            for touch, share in zip(touches, shares, strict=True):
                sums[touch["channel"]][replicate] += drawn[replicate] * share / sum(shares)
    found = rows(
        "select * from marts.attribution_intervals where attribution_model = 'markov_1'"
        " and attribution_scope = 'all' and dimension = 'channel' and period = 'last_90_days'"
    )
    assert len(found) == len(sums) > 3
    for row in found:
        low, high = np.quantile(sums[row["dimension_value"]], [0.025, 0.975])
        assert row["conversions_ci_low"] == pytest.approx(low, abs=1e-9)
        assert row["conversions_ci_high"] == pytest.approx(high, abs=1e-9)
        assert not row["is_conditional"]


def test_return_is_credit_by_month_next_to_spend(rows) -> None:
    spend: dict[tuple, float] = defaultdict(float)
    for row in rows("select * from marts.spend_daily"):
        spend[row["spend_date"].replace(day=1), row["channel"]] += float(row["spend"])
    assert spend
    for basis in ("converted_at", "touched_at"):
        credited: dict[tuple, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for row in rows(
            "select * from marts.attribution_credits where attribution_model = 'time_decay'"
            " and attribution_scope = 'all'"
        ):
            month = (row[basis] or row["converted_at"]).date().replace(day=1)
            credited[month, row["channel"]][0] += row["credit"]
            credited[month, row["channel"]][1] += row["credited_revenue"]
        found = {
            (row["credited_month"], row["channel"]): row
            for row in rows(
                "select * from marts.attribution_roi where attribution_model = 'time_decay'"
                " and attribution_scope = 'all' and dimension = 'channel'"
                f" and date_basis = '{'touch' if basis == 'touched_at' else 'conversion'}'"
            )
        }
        assert found.keys() == credited.keys() | spend.keys()
        for key, row in found.items():
            conversions, revenue = credited[key]
            assert row["conversions"] == pytest.approx(conversions)
            assert row["revenue"] == pytest.approx(revenue)
            if key not in spend:
                assert (row["spend"], row["cpa"], row["roas"], row["roi"]) == (None,) * 4
                continue
            assert float(row["spend"]) == pytest.approx(spend[key])
            assert row["roas"] == pytest.approx(revenue / spend[key])
            expected = spend[key] / conversions if conversions else None
            assert row["cpa"] == (expected and pytest.approx(expected))


def test_quality_is_the_share_of_pairs_in_the_right_order(rows) -> None:
    """AUC and log-likelihood recounted pair by pair, from the credits and the journeys."""
    (clock,) = rows("select as_of - interval 30 day as until, as_of - interval 58 day as since"
                    " from ops.clock")  # fmt: skip
    touches: dict[str, int] = defaultdict(int)
    heldout: dict[str, tuple[bool, set[str]]] = {}
    training: set[str] = set()
    for row in rows(
        "select journeys.journey_id, journeys.is_converted, list(touches.channel) as channels,"
        " max(touches.touched_at) as last_at from marts.journeys as journeys"
        " inner join marts.journey_touchpoints as numbers using (journey_id)"
        " inner join marts.touchpoints as touches on touches.touchpoint_id = numbers.touchpoint_id"
        " where not journeys.is_open group by all"
    ):
        if row["last_at"] >= clock["until"]:
            continue
        if row["last_at"] >= clock["since"]:
            heldout[row["journey_id"]] = (row["is_converted"], set(row["channels"]))
        else:
            training.add(row["journey_id"])
            for channel in row["channels"]:
                touches[channel] += 1
    credit: dict[str, float] = defaultdict(float)
    for row in rows(
        "select conversion_id, channel, credit from marts.attribution_credits"
        " where attribution_model = 'linear' and attribution_scope = 'all'"
    ):
        if row["conversion_id"] in training:
            credit[row["channel"]] += row["credit"]
    scores = [
        (converted, sum(credit[c] / touches[c] for c in channels if touches[c]))
        for converted, channels in heldout.values()
    ]
    yes = [score for converted, score in scores if converted]
    no = [score for converted, score in scores if not converted]
    (found,) = rows(
        "select * from marts.attribution_model_quality where attribution_model = 'linear'"
    )
    assert found["heldout_journeys"] == len(scores) > 0
    assert found["heldout_conversions"] == len(yes)
    pairs = [(a > b + 1e-9) + (abs(a - b) <= 1e-9) / 2 for a in yes for b in no]
    assert found["auc"] == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)
    probabilities = [
        (converted, min(max(1 - math.exp(-score), 1e-6), 1 - 1e-6)) for converted, score in scores
    ]
    likelihood = sum(math.log(p if converted else 1 - p) for converted, p in probabilities)
    assert found["log_likelihood"] == pytest.approx(likelihood / len(scores))


# --- Transforms of paths ---

STRANGE = ("a > b", "null", "", "🛒", "it's")


def recount(name: str, path: list, element: object = None) -> list:
    others = [e for e in path if e != element]
    last = max((n for n, e in enumerate(path) if e != element), default=-1)
    return {
        "path_collapsed": [e for n, e in enumerate(path) if n == 0 or e != path[n - 1]],
        "path_first_occurrences": list(dict.fromkeys(path)),
        "path_unique": sorted(set(path)),
        "path_without_unless_alone": others or path,
        "path_without_trailing": path[: last + 1] if others else path,
    }[name]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory):
    """`transformed(name, path, element)`: what the macro of that name makes of a path."""
    folder = tmp_path_factory.mktemp("paths")
    calls = {
        "path_collapsed": "path_collapsed('path')",
        "path_first_occurrences": "path_first_occurrences('path')",
        "path_unique": "path_unique('path')",
        "path_without_unless_alone": "path_without_unless_alone('path', 'element')",
        "path_without_trailing": "path_without_trailing('path', 'element')",
    }
    inline = "select " + ", ".join(f"{{{{ {call} }}}} as {name}" for name, call in calls.items())
    result = transform.invoke(
        Settings(folder, folder / "landing"), ["compile", "--inline", inline], quiet=True
    )
    assert result.success, result.exception
    sql = result.result.results[0].node.compiled_code
    connection = duckdb.connect()

    def apply(path: list, element: object = None) -> dict[str, list]:
        found = connection.execute(
            f"with given as (select ?::varchar[] as path, ?::varchar as element) {sql} from given",
            [path, element],
        )
        return dict(zip(calls, found.fetchone(), strict=True))

    yield apply
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        [],
        ["a"],
        ["a", "a", "b", "a"],
        ["b", "a", "b", "b"],
        ["direct", "direct"],
        ["direct", "a", "direct", "direct"],
        [*STRANGE, *STRANGE],
        ["🛒", "🛒", "a > b", "", ""],
    ],
)
@pytest.mark.parametrize("element", ["direct", "", "a > b"])
def test_a_transform_of_a_path_equals_the_recount(transformed, path: list, element: str) -> None:
    assert transformed(path, element) == {
        name: recount(name, path, element) for name in transformed(path, element)
    }
