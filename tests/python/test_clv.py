"""Lifetime value against the published parameters of the CDNOW customers, and simulated ones."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import numpy as np
import pytest

from apportion import clv

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
