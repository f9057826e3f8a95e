"""Lifetime value against the published parameters of the CDNOW customers, and simulated ones."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import duckdb
import numpy as np
import pytest

from apportion import clv, fit

PUBLISHED = clv.Parameters(r=0.243, alpha=4.414, a=0.793, b=2.426, p=6.25, q=3.74, v=15.44)


@pytest.fixture(scope="module")
def cdnow() -> tuple[np.ndarray, ...]:
    folder = os.environ.get("APPORTION_REAL_DATA", "")
    file = Path(folder) / "cdnow" / "cdnow_customers_summary.csv"
    if not folder or not file.exists():
        pytest.skip("APPORTION_REAL_DATA names no folder with cdnow in it")
    columns = duckdb.sql(
        f"select frequency, recency, T, coalesce(mean_value, 0) from ({query(file)})"
    )
    found = columns.fetchnumpy()
    return tuple(np.asarray(column, dtype=float) for column in found.values())


def query(file: Path) -> str:
    """Repeat orders and weeks by customer; the mean value of repeat orders from the sales."""
    return f"""
        with summary as (select * from read_csv('{file}')),
        orders as (
            select columns[2]::int as customer, columns[3] as day, columns[5]::double as revenue
            from (
                select regexp_split_to_array(trim(line), ' +') as columns
                from read_csv('{file.parent}/CDNOW_sample.txt', columns={{'line': 'varchar'}},
                    header=false, delim='|')
            )
            where columns[3] < '19971001'
        ),
        days as (select customer, day, sum(revenue) as revenue from orders group by all),
        firsts as (select customer, min(day) as day from days group by customer),
        repeats as (
            select customer, avg(revenue) as mean_value
            from days anti join firsts using (customer, day) group by customer
        )
        select summary.*, repeats.mean_value
        from summary left join repeats on summary.ID = repeats.customer
    """


def test_the_published_parameters_are_found(cdnow) -> None:
    found = clv.fit(*cdnow)
    assert found is not None
    for name in ("r", "alpha", "a", "b"):
        assert getattr(found, name) == pytest.approx(getattr(PUBLISHED, name), abs=6e-4), name
    for name in ("p", "q", "v"):
        assert getattr(found, name) == pytest.approx(getattr(PUBLISHED, name), abs=6e-3), name


def test_expected_orders_equal_the_published_example() -> None:
    """Customer 1516 of CDNOW: 2 repeat orders, the last in week 30.43 of 38.86; 39 weeks ahead."""
    ahead = clv.expected_orders(
        PUBLISHED, 39.0, np.array([2.0]), np.array([30.43]), np.array([38.86])
    )
    assert ahead == pytest.approx([1.226], abs=2e-3)


def test_parameters_of_simulated_customers_are_found_again() -> None:
    dice = np.random.default_rng(3)
    count = 6000
    age = dice.uniform(20, 60, count)
    rates = dice.gamma(1.2, 1 / 8.0, count)
    leaving = dice.beta(0.9, 3.0, count)
    frequency, recency = np.zeros(count), np.zeros(count)
    for n in range(count):
        at = 0.0
        while dice.random() >= (leaving[n] if at or frequency[n] else 0.0):
            at += dice.exponential(1 / rates[n])
            if at > age[n]:
                break
            frequency[n] += 1
            recency[n] = at
    p, q, v = 6.0, 4.0, 15.0
    scale = dice.gamma(q, 1 / v, count)
    value = np.array(
        [
            dice.gamma(p * x, 1 / (s * x)) if x else 0.0
            for x, s in zip(frequency, scale, strict=True)
        ]
    )
    found = clv.fit(frequency, recency, age, value)
    assert found is not None
    assert found.r / found.alpha == pytest.approx(1.2 / 8, rel=0.1)
    assert found.p / (found.q - 1) * found.v == pytest.approx(p / (q - 1) * v, rel=0.1)


def test_too_few_customers_are_not_fitted() -> None:
    few = np.ones(10)
    assert clv.fit(few, few, few * 2, few) is None


def test_what_is_still_to_come_stays_through_a_month_without_an_order() -> None:
    """ann's last order is of February, bob's of 20 March; the second version is of 15 March."""
    with duckdb.connect() as connection:
        connection.execute(
            "create schema ops; create schema ml; create schema intermediate;"
            "create table ops.clock (as_of timestamp);"
            "create table intermediate.int_conversions__orders as select *, false as is_cancelled,"
            " null as exclusion_reason from (values"
            " ('ann', timestamp '2026-01-05 10:00', 20.0), ('ann', '2026-02-02 10:00', 30.0),"
            " ('bob', '2026-01-05 10:00', 20.0), ('bob', '2026-03-20 10:00', 30.0)"
            ") as orders (user_key, ordered_at, revenue)"
        )
        connection.execute("insert into ops.clock values (timestamp '2026-03-10')")
        fit._prepare(connection)
        columns = ", ".join(fit.CLV_PARAMETERS)
        for version, valid_from, r in ((1, "2026-02-20", 0.243), (2, "2026-03-15", 0.5)):
            connection.execute(
                f"insert into ml.clv_parameters (version, valid_from, {columns})"
                f" values ({version}, '{valid_from}', {r}, 4.414, 0.793, 2.426, 6.25, 3.74, 15.44)"
            )

        def scores(as_of: str) -> dict[str, tuple[float, float]]:
            connection.execute("update ops.clock set as_of = ?", [as_of])
            fit._score_clv(connection)
            rows = connection.execute(
                "select user_key, predicted_clv, residual_clv from ml.clv_scores"
            ).fetchall()
            return {user: (float(now), float(then)) for user, now, then in rows}

        nights = [scores(f"2026-03-{day}") for day in (22, 23, 31)]
        later = scores("2026-04-01 02:00:00")
    residuals = [{user: then for user, (_, then) in night.items()} for night in nights]
    assert residuals[0] == residuals[1] == residuals[2]
    # The version of February held when March began, ann being silent for 27 days by then.
    weeks = np.array([(dt.date(2026, 3, 1) - dt.date(2026, 1, 5)).days - 10 / 24]) / 7
    recency = np.array([4.0])
    orders = clv.expected_orders(PUBLISHED, 52.0, np.array([1.0]), recency, weeks)
    value = clv.expected_value(PUBLISHED, np.array([1.0]), np.array([30.0]))
    assert residuals[0]["ann"] == pytest.approx(float((orders * value)[0]), abs=1e-4)
    # bob ordered after that: as of the order, whatever the night.
    recency = np.array([(dt.date(2026, 3, 20) - dt.date(2026, 1, 5)).days / 7])
    orders = clv.expected_orders(PUBLISHED, 52.0, np.array([1.0]), recency, recency)
    assert residuals[0]["bob"] == pytest.approx(float((orders * value)[0]), abs=1e-4)
    # What is predicted as of the night falls a little with each silent day.
    assert nights[0]["ann"][0] > nights[1]["ann"][0] > nights[2]["ann"][0]
    assert later["ann"][1] != residuals[0]["ann"]
