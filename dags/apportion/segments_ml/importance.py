"""Which attributes tell of conversion: tests, correlations and mutual information."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.feature_selection import chi2, f_classif, mutual_info_classif

SEED = 20260131
# Rows that mutual information, which looks at neighbours, is estimated from.
MUTUAL_ROWS = 20_000
# Absolute rank correlation from which the weaker of two attributes is redundant.
REDUNDANT = 0.9


@dataclass(frozen=True)
class Importance:
    """One attribute by one test; `redundant_with` is the stronger attribute that says the same."""

    attribute: str
    test: str
    statistic: float
    p_value: float | None
    importance: float
    redundant_with: str | None


def usable(values: np.ndarray) -> np.ndarray:
    """Mask of the columns that differ between people: not all unknown, not constant."""
    if not len(values):
        return np.zeros(values.shape[1], bool)
    known = np.isfinite(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        spread = np.nanmax(np.where(known, values, np.nan), axis=0) - np.nanmin(
            np.where(known, values, np.nan), axis=0
        )
    is_sometimes_unknown = known.any(axis=0) & ~known.all(axis=0)
    return (np.nan_to_num(spread) > 0) | is_sometimes_unknown


def measure(values: np.ndarray, names: list[str], outcome: np.ndarray) -> list[Importance]:
    """Each attribute by each test against a yes-or-no outcome.

    Args:
        values: rows x attributes, nan where unknown; in an order that makes first rows a sample.
        names: of the attributes.
        outcome: 0 or 1 per row.

    Returns:
        One entry per attribute and test; none where the outcome or no attribute differs.
    """
    chosen = usable(values)
    if len(np.unique(outcome)) < 2 or not chosen.any():
        return []
    names = [name for name, is_chosen in zip(names, chosen, strict=True) if is_chosen]
    filled = fill(values[:, chosen])
    scaled = (filled - filled.min(axis=0)) / np.maximum(np.ptp(filled, axis=0), 1e-300)
    few = slice(0, MUTUAL_ROWS)
    mutual = (
        mutual_info_classif(filled[few], outcome[few], random_state=SEED)
        if len(np.unique(outcome[few])) == 2
        else np.zeros(len(names))
    )
    with warnings.catch_warnings():
        # Constant within a class: the statistic is infinite or not a number, and said so.
        warnings.simplefilter("ignore")
        tests = {
            "chi_squared": chi2(scaled, outcome),
            "anova": f_classif(filled, outcome),
            "pearson": _correlations(stats.pearsonr, filled, outcome),
            "spearman": _correlations(stats.spearmanr, filled, outcome),
            "mutual_information": (mutual, np.full(len(names), np.nan)),
        }
    redundant = _redundant(filled, names, mutual)
    found = []
    for test, (statistics, p_values) in tests.items():
        strengths = np.abs(np.nan_to_num(statistics, posinf=0, neginf=0))
        total = strengths.sum() or 1.0
        for number, name in enumerate(names):
            known = np.isfinite(p_values[number])
            found.append(
                Importance(
                    name,
                    test,
                    float(np.nan_to_num(statistics[number])),
                    float(p_values[number]) if known else None,
                    float(strengths[number] / total),
                    redundant.get(name),
                )
            )
    return found


def selected(found: list[Importance], names: list[str], most: int = 12) -> list[str]:
    """The attributes to cluster by: those with most mutual information that are not redundant."""
    mutual = sorted(
        (-entry.importance, entry.attribute)
        for entry in found
        if entry.test == "mutual_information" and entry.redundant_with is None
    )
    return [name for _, name in mutual[:most]] or names


def fill(values: np.ndarray) -> np.ndarray:
    """Unknown values as their column's mean."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nan_to_num(np.nanmean(values, axis=0)) if len(values) else 0
    return np.where(np.isfinite(values), values, means)


def _correlations(
    test: object, values: np.ndarray, outcome: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    results = [test(column, outcome) for column in values.T]
    return (
        np.array([result.statistic for result in results]),
        np.array([result.pvalue for result in results]),
    )


def _redundant(values: np.ndarray, names: list[str], strength: np.ndarray) -> dict[str, str]:
    """The attributes that say the same as a stronger one, with that one."""
    ranks = np.apply_along_axis(stats.rankdata, 0, values)
    with np.errstate(invalid="ignore"):
        correlation = np.abs(np.nan_to_num(np.corrcoef(ranks, rowvar=False)))
    correlation = np.atleast_2d(correlation)
    order = sorted(range(len(names)), key=lambda number: (-strength[number], names[number]))
    kept: list[int] = []
    redundant = {}
    for number in order:
        same = [other for other in kept if correlation[number, other] >= REDUNDANT]
        if same:
            redundant[names[number]] = names[same[0]]
        else:
            kept.append(number)
    return redundant
