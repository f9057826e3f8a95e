"""Models of what a person will do: learned from the past, judged on what came later."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import sklearn
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from apportion.errors import ApportionError
from apportion.segments_ml.importance import fill

SEED = 20260131
# Rows that a model, its search and permutation importance look at.
LEARN_ROWS = 100_000
SEARCH_ROWS = 40_000
PERMUTATION_ROWS = 5_000
# An attribute that alone tells yes from no this well was not known before: nothing honest does.
LEAK_AUC = 0.985
# Rows that each tree of a forest draws; and trees by which settings are compared.
TREE_ROWS = 10_000
SEARCH_TREES = 60
ALGORITHMS: dict[str, tuple[ClassifierMixin, dict[str, list]]] = {
    "random_forest": (
        RandomForestClassifier(200, min_samples_leaf=5, n_jobs=2, random_state=SEED),
        {"max_features": ["sqrt", 0.4], "min_samples_leaf": [3, 10]},
    ),
    "gradient_boosting": (
        HistGradientBoostingClassifier(max_iter=150, early_stopping=False, random_state=SEED),
        {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 31]},
    ),
}


class LeakFound(ApportionError):
    """A column knows the outcome: it was not known when it is said to have been."""


@dataclass(frozen=True)
class Card:
    """How good a model is on rows that came after all that it learned from."""

    roc_auc: float
    baseline_roc_auc: float
    f1: float
    brier: float
    log_loss: float
    calibration_error: float
    importances: dict[str, float]


def guard(values: np.ndarray, names: list[str], outcome: np.ndarray) -> None:
    """Refuse to learn from what was not known before.

    Args:
        values: rows x attributes.
        names: of the attributes.
        outcome: 0 or 1 per row.

    Raises:
        LeakFound: a row knows of something that came after its moment, or a column alone tells
            the outcome.
    """
    for name, column in zip(names, values.T, strict=True):
        if "_since_" in name and (column < 0).any():
            raise LeakFound(
                f"{name} is below 0: a row knows of what came after its moment",
                "mend the features that it comes from, int_features__accumulated",
            )
    if len(np.unique(outcome)) < 2:
        return
    for name, column in zip(names, fill(values).T, strict=True):
        for told in (column, ~np.isfinite(values[:, names.index(name)])):
            auc = roc_auc_score(outcome, told)
            if max(auc, 1 - auc) >= LEAK_AUC and len(outcome) >= 50:
                raise LeakFound(
                    f"{name} alone tells the outcome (ROC-AUC {max(auc, 1 - auc):.3f})",
                    "it was not known before: leave it out of model_features.sql",
                )


def search(
    values: np.ndarray, outcome: np.ndarray, splits: Iterable[tuple[np.ndarray, np.ndarray]]
) -> tuple[str, dict[str, object], Pipeline]:
    """The algorithm and settings of the best mean ROC-AUC over splits, not yet fitted to all."""
    splits = [
        (learn[:SEARCH_ROWS], judge[:SEARCH_ROWS])
        for learn, judge in splits
        if len(np.unique(outcome[learn])) == 2 and len(np.unique(outcome[judge])) == 2
    ]
    best: tuple[float, str, dict[str, object], Pipeline] | None = None
    for name, (model, grid) in ALGORITHMS.items():
        for chosen in itertools.product(*grid.values()):
            settings = dict(zip(grid, chosen, strict=True))
            # What is not known is below all that is; a column may be unknown throughout.
            unknown = SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True)
            candidate = make_pipeline(unknown, clone(model).set_params(**settings))
            scores = []
            for learn, judge in splits:
                fitted = fit(candidate, values[learn], outcome[learn], SEARCH_TREES)
                scores.append(
                    roc_auc_score(outcome[judge], fitted.predict_proba(values[judge])[:, 1])
                )
            score = float(np.mean(scores)) if scores else 0.5
            if best is None or score > best[0] + 1e-9:
                best = (score, name, settings, candidate)
    return best[1], best[2], best[3]


def fit(
    model: Pipeline, values: np.ndarray, outcome: np.ndarray, most_trees: int | None = None
) -> Pipeline:
    """A fitted copy of what `search` gave; its cost grows no more than the rows do.

    Args:
        model: not fitted.
        values: rows x attributes.
        outcome: 0 or 1 per row.
        most_trees: of a forest, if fewer than it has.
    """
    fitted = clone(model)
    if isinstance(fitted[-1], RandomForestClassifier):
        trees = fitted[-1].n_estimators
        fitted[-1].set_params(
            n_estimators=min(trees, most_trees or trees),
            max_samples=TREE_ROWS if len(values) > TREE_ROWS else None,
        )
    return fitted.fit(values, outcome)


def folds(count: int, parts: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits of rows that are in random order already: each part judged once."""
    part = np.arange(count) % parts
    return [(np.flatnonzero(part != n), np.flatnonzero(part == n)) for n in range(parts)]


def baseline(values: np.ndarray, names: list[str], outcome: np.ndarray) -> tuple[object, list[int]]:
    """Logistic regression on recency and frequency, what has to be beaten; and its columns."""
    columns = [names.index(n) for n in ("days_since_last_order", "orders_365d") if n in names]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(fill(values[:, columns]), outcome), columns


def judge(
    model: ClassifierMixin,
    plain: tuple[object, list[int]] | None,
    values: np.ndarray,
    names: list[str],
    outcome: np.ndarray,
    threshold: float,
) -> Card:
    """A model on held-back rows.

    Args:
        model: fitted.
        plain: what `baseline` gave, or None.
        values: held-back rows.
        names: of the columns.
        outcome: 0 or 1 per row, both of them.
        threshold: probability from which the model says yes.
    """
    told = model.predict_proba(values)[:, 1]
    plain_auc = 0.5
    if plain is not None:
        other, columns = plain
        plain_auc = roc_auc_score(outcome, other.predict_proba(fill(values[:, columns]))[:, 1])
    few = slice(0, PERMUTATION_ROWS)
    importances = (
        permutation_importance(
            model, values[few], outcome[few], scoring="roc_auc", n_repeats=3, random_state=SEED
        ).importances_mean
        if len(np.unique(outcome[few])) == 2
        else np.zeros(len(names))
    )
    return Card(
        float(roc_auc_score(outcome, told)),
        float(plain_auc),
        float(f1_score(outcome, told >= threshold, zero_division=0)),
        float(brier_score_loss(outcome, told)),
        float(log_loss(outcome, np.clip(told, 1e-6, 1 - 1e-6), labels=[0, 1])),
        calibration_error(told, outcome),
        dict(zip(names, map(float, importances), strict=True)),
    )


def calibration_error(told: np.ndarray, outcome: np.ndarray, bins: int = 10) -> float:
    """Mean distance between what was told and what happened, over tenths of the rows."""
    parts = np.array_split(np.argsort(told, kind="stable"), bins)
    errors = [abs(told[p].mean() - outcome[p].mean()) * len(p) for p in parts if len(p)]
    return float(sum(errors) / len(told))


def versions() -> str:
    """The libraries that a model file needs, as JSON."""
    return json.dumps({"numpy": np.__version__, "scikit-learn": sklearn.__version__})
