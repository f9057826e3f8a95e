"""Which segmentation matters: how much better conversion is told with a family's labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from apportion.segments_ml import matrix

if TYPE_CHECKING:
    import duckdb

SEED = 20260131
BOOTSTRAPS = 200
# People with the base rate that each segment is thought to have been seen with before.
PRIOR = 20


@dataclass(frozen=True)
class Lift:
    """One family: what its labels take off the held-back log-loss, with the 95 % interval."""

    segment_family: str
    people: int
    log_loss_without: float
    log_loss_with: float
    lift: float
    ci_low: float
    ci_high: float


def measure(connection: duckdb.DuckDBPyConnection) -> list[Lift]:
    """Every family on the last month's first day of which the outcome is known, best first."""
    relation = "intermediate.int_segments__labelled_moments"
    families = [
        name.removeprefix("segment_")
        for (name, *_) in connection.execute(f"describe {relation}").fetchall()
        if name.startswith("segment_")
    ]
    rows = connection.execute(
        f"""
        select
            {", ".join(f"hash(segment_{family}) as segment_{family}" for family in families)},
            labelled.feature_at,
            exists (
                select 1 from intermediate.int_conversions__valued as later
                where later.user_key = labelled.user_key
                and later.converted_at >= labelled.feature_at
                and later.converted_at
                < labelled.feature_at + interval {matrix.CONVERSION_DAYS} days
            ) as is_converted
        from {relation} as labelled
        where labelled.moment_type = 'snapshot'
        and labelled.feature_at + interval {matrix.CONVERSION_DAYS} days
        <= (select as_of from ops.clock)
        order by md5(labelled.user_key), labelled.feature_at
        limit {matrix.SAMPLE_ROWS}
        """
    ).fetchnumpy()
    outcome = np.asarray(rows["is_converted"], np.float64)
    learned, held_back = matrix.last_snapshot(
        np.asarray(rows["feature_at"]), matrix.CONVERSION_DAYS
    )
    if not held_back.any() or len(np.unique(outcome[learned])) < 2:
        return []
    rate = outcome[learned].mean()
    without = _losses(np.full(held_back.sum(), rate), outcome[held_back])
    draws = np.random.default_rng(SEED).integers(
        0, len(without), (BOOTSTRAPS, len(without)), dtype=np.int32
    )
    found = []
    for family in families:
        labels, codes = np.unique(np.asarray(rows[f"segment_{family}"]), return_inverse=True)
        seen = np.bincount(codes[learned], minlength=len(labels))
        converted = np.bincount(codes[learned], outcome[learned], minlength=len(labels))
        rates = (converted + PRIOR * rate) / (seen + PRIOR)
        told = _losses(rates[codes[held_back]], outcome[held_back])
        gains = without - told
        means = gains[draws].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        found.append(
            Lift(
                family,
                len(gains),
                float(without.mean()),
                float(told.mean()),
                float(gains.mean()),
                float(low),
                float(high),
            )
        )
    return sorted(found, key=lambda lift: (-lift.lift, lift.segment_family))


def _losses(told: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    told = np.clip(told, 1e-6, 1 - 1e-6)
    return -(outcome * np.log(told) + (1 - outcome) * np.log(1 - told))
