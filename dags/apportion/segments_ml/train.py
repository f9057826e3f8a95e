"""The weekly training: importance, clusters, predictions, lift; and the nightly scores."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from apportion import warehouse
from apportion.errors import ApportionError
from apportion.segments_ml import clusters, importance, lift, matrix, predict, tables
from apportion.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from apportion.night import Night

# Predictive families: outcome, and whether it is asked of customers only.
PREDICTED = {
    "churn_risk": ("churn", True),
    "conversion_propensity": ("conversion", False),
    "predicted_value": ("value", False),
}
# Shares of people from which on a score is medium, and high.
MEDIUM_SHARE, HIGH_SHARE = 0.5, 0.8
# Below, there is nothing to learn from.
FEWEST_ROWS = 200


def train(night: Night) -> str:
    """Learn everything anew, valid from the moment that the warehouse is judged as of.

    A second training as of the same moment replaces the first.

    Args:
        night: the run; its warehouse holds the last night's tables.

    Returns:
        One line for people.
    """
    with warehouse.connect(night.settings.warehouse) as connection:
        tables.prepare(connection)
        people = matrix.now(connection)
        if not len(people):
            return "segments: nobody is known yet, nothing to learn"
        past, outcome = matrix.snapshots(connection, "conversion")
        found = _write_importance(connection, past, outcome)
        said = [_write_clusters(connection, people, past, outcome, found)]
        said += [_train_family(night.settings, connection, family) for family in PREDICTED]
        said.append(_write_lift(connection))
        said.append(score(night.settings, connection))
        _replace(connection, "trainings", [{"trained_at": _now()}])
    return "; ".join(said)


def score(settings: Settings, connection: duckdb.DuckDBPyConnection) -> str:
    """Score everybody as of the night with each promoted model; what changed is written.

    Raises:
        ApportionError: a model file is not the one that was trained here.
    """
    tables.prepare(connection)
    as_of = matrix.as_of(connection)
    promoted = connection.execute(
        "select segment_family, max(version) from ml.segment_models where is_promoted"
        " and trained_as_of <= ? group by segment_family order by segment_family",
        [as_of],
    ).fetchall()
    connection.execute("delete from ml.segment_scores where valid_from >= ?", [as_of])
    if not promoted:
        return "scores: no model is promoted"
    people, said = matrix.now(connection), []
    for family, version in promoted:
        attributes, sha256, medium, high, trained = connection.execute(
            "select attributes, file_sha256, medium_from, high_from, trained_as_of"
            " from ml.segment_models where segment_family = ? and version = ?",
            [family, version],
        ).fetchone()
        rows = people.where(_asked(people, PREDICTED[family][1]))
        if attributes != people.names or not len(rows):
            said.append(f"{family}: the attributes changed since version {version}, not scored")
            continue
        model = _load(_path(settings, family, version), sha256)
        told = np.round(model.predict_proba(rows.values)[:, 1], 2)
        scores = pd.DataFrame(
            {"user_key": rows.keys, "segment": _tiers(told, medium, high), "score": told}
        )
        connection.register("scores", scores)
        connection.execute(
            """
            insert into ml.segment_scores
            with known as (
                select
                    user_key, max_by(score, valid_from) as score,
                    max_by(segment, valid_from) as segment
                from ml.segment_scores where segment_family = ? group by user_key
            )

            select ?, scores.user_key, scores.segment, scores.score, ?, ?
            from scores left join known on scores.user_key = known.user_key
            where scores.score is distinct from known.score
            or scores.segment is distinct from known.segment
            """,
            [family, family, version, as_of],
        )
        connection.unregister("scores")
        said.append(
            f"{family}: {len(rows):,} people scored by version {version} of {trained:%Y-%m-%d}"
        )
    return "; ".join(said)


def _write_importance(
    connection: duckdb.DuckDBPyConnection, past: matrix.Matrix, outcome: np.ndarray
) -> list[importance.Importance]:
    found = importance.measure(past.values, past.names, outcome) if len(past) else []
    _replace(
        connection,
        "attribute_importance",
        [
            {
                "outcome": "conversion",
                "attribute": entry.attribute,
                "test": entry.test,
                "statistic": entry.statistic,
                "p_value": entry.p_value,
                "importance": entry.importance,
                "redundant_with": entry.redundant_with,
            }
            for entry in found
        ],
    )
    return found


def _write_clusters(
    connection: duckdb.DuckDBPyConnection,
    people: matrix.Matrix,
    past: matrix.Matrix,
    outcome: np.ndarray,
    found: list[importance.Importance],
) -> str:
    as_of = matrix.as_of(connection)
    differing = importance.usable(people.values)
    wanted = importance.selected(found, people.names)
    chosen = differing & np.isin(people.names, wanted)
    if not chosen.any():
        chosen = differing
    learned, held_back = matrix.last_snapshot(past.at, matrix.CONVERSION_DAYS)
    compared = clusters.compare(
        people.values,
        people.names,
        chosen,
        (past.values[learned], outcome[learned]),
        (past.values[held_back], outcome[held_back]),
    )
    if not compared:
        return "clusters: people do not differ, nothing to learn"
    best = clusters.choose(compared)
    names = clusters.named(best, people.names)
    _replace(
        connection,
        "cluster_comparison",
        [
            {
                "method": one.method,
                "k": len(one.centers),
                "silhouette": one.silhouette,
                "stability": one.stability,
                "responsiveness": one.responsiveness,
                "inertia": one.inertia,
                "people": len(people),
                "smallest": one.smallest,
                "is_published": one is best,
            }
            for one in compared
        ],
    )
    connection.execute("delete from ml.cluster_centroids where valid_from = ?", [as_of])
    (version,) = connection.execute(
        "select coalesce(max(version), 0) + 1 from ml.cluster_centroids"
    ).fetchone()
    connection.execute(
        "insert into ml.cluster_centroids values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            version,
            as_of,
            _now(),
            best.method,
            people.names,
            best.scaling.shifts.tolist(),
            best.scaling.factors.tolist(),
            best.centers.tolist(),
            names,
        ],
    )
    scaled = best.scaling(people.values)
    axes, shares, places = clusters.on_the_map(scaled)
    labels = best.predict(people.values[: len(places)])
    _replace(
        connection,
        "cluster_axes",
        [
            {
                "axis": number + 1,
                "attribute": name,
                "loading": float(loading),
                "variance_share": float(shares[number]),
            }
            for number, axis in enumerate(axes)
            for name, loading in zip(people.names, axis, strict=True)
        ],
    )
    _replace(
        connection,
        "cluster_map",
        [
            {"user_key": key, "segment": names[label], "x": float(x), "y": float(y)}
            for key, label, (x, y) in zip(people.keys, labels, places, strict=False)
        ],
    )
    return (
        f"clusters: version {version}, {len(best.centers)} by {best.method}"
        f" of {len(people):,} people"
    )


def _train_family(settings: Settings, connection: duckdb.DuckDBPyConnection, family: str) -> str:
    """Train a challenger; promote it if it beats the champion on the rows that are held back."""
    outcome_name, of_customers = PREDICTED[family]
    days = matrix.OUTCOMES[outcome_name][0]
    rows, outcome = matrix.snapshots(connection, outcome_name)
    asked = _asked(rows, of_customers)
    rows, outcome = rows.where(asked), outcome[asked]
    learned, held_back = matrix.last_snapshot(rows.at, days)
    if family == "predicted_value":
        spent = outcome[learned & (outcome > 0)]
        # Yes: in the top fifth of what was spent by those who spent, in the past.
        outcome = (outcome >= np.quantile(spent, 0.8)).astype(float) if len(spent) else outcome * 0
    sides = (outcome[learned], outcome[held_back])
    if learned.sum() < FEWEST_ROWS or any(len(np.unique(side)) < 2 for side in sides):
        return f"{family}: too few people with a known outcome, nothing to learn"
    predict.guard(rows.values[learned], rows.names, outcome[learned])
    values, told = rows.values[learned], outcome[learned]
    earlier, later = matrix.last_snapshot(rows.at[learned], days)
    splits = (
        [(np.flatnonzero(earlier), np.flatnonzero(later))]
        if later.any()
        else predict.folds(len(told))
    )
    algorithm, chosen, model = predict.search(values, told, splits)
    # The rows are in the order of the people's hashes: the first are a sample.
    few = slice(0, predict.LEARN_ROWS)
    model = predict.fit(model, values[few], told[few])
    probabilities = model.predict_proba(values[few])[:, 1]
    medium, high = (float(q) for q in np.quantile(probabilities, [MEDIUM_SHARE, HIGH_SHARE]))
    plain = predict.baseline(values, rows.names, told)
    card = predict.judge(model, plain, rows.values[held_back], rows.names, outcome[held_back], high)
    champion = _champion_auc(
        settings, connection, family, rows.where(held_back), outcome[held_back]
    )
    is_promoted = champion is None or card.roc_auc > champion
    as_of = matrix.as_of(connection)
    connection.execute(
        "delete from ml.segment_models where segment_family = ? and trained_as_of = ?",
        [family, as_of],
    )
    (version,) = connection.execute(
        "select coalesce(max(version), 0) + 1 from ml.segment_models where segment_family = ?",
        [family],
    ).fetchone()
    sha256 = _save(_path(settings, family, version), model)
    row: dict[str, Any] = {
        "segment_family": family,
        "version": version,
        "trained_as_of": as_of,
        "trained_at": _now(),
        "algorithm": algorithm,
        "settings": json.dumps(chosen),
        "outcome": outcome_name,
        "outcome_days": days,
        "rows_learned": int(learned.sum()),
        "rows_held_back": int(held_back.sum()),
        "learned_from": _moment(rows.at[learned].min()),
        "learned_until": _moment(rows.at[learned].max()),
        "held_back_at": _moment(rows.at[held_back].max()),
        "positive_share": float(outcome[held_back].mean()),
        "roc_auc": card.roc_auc,
        "baseline_roc_auc": card.baseline_roc_auc,
        "champion_roc_auc": champion,
        "f1": card.f1,
        "brier": card.brier,
        "log_loss": card.log_loss,
        "calibration_error": card.calibration_error,
        "importances": json.dumps(card.importances),
        "attributes": rows.names,
        "medium_from": medium,
        "high_from": high,
        "file_sha256": sha256,
        "library_versions": predict.versions(),
        "is_promoted": is_promoted,
        "remark": None if is_promoted else "not better than the champion on the held-back rows",
    }
    connection.execute(
        f"insert into ml.segment_models ({', '.join(row)}) values ({', '.join('?' * len(row))})",
        list(row.values()),
    )
    verb = "promoted" if is_promoted else f"stays behind the champion ({champion:.3f})"
    return (
        f"{family}: version {version} {verb}, ROC-AUC {card.roc_auc:.3f}"
        f" (recency and frequency {card.baseline_roc_auc:.3f})"
    )


def _champion_auc(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    family: str,
    held_back: matrix.Matrix,
    outcome: np.ndarray,
) -> float | None:
    """How good the champion is on the rows that the challenger is judged on; None without one."""
    row = connection.execute(
        "select version, attributes, file_sha256 from ml.segment_models where segment_family = ?"
        " and is_promoted and trained_as_of < (select as_of from ops.clock)"
        " order by version desc limit 1",
        [family],
    ).fetchone()
    if row is None or row[1] != held_back.names:
        return None
    model = _load(_path(settings, family, row[0]), row[2])
    return float(roc_auc_score(outcome, model.predict_proba(held_back.values)[:, 1]))


def _write_lift(connection: duckdb.DuckDBPyConnection) -> str:
    built = connection.execute(
        "select count(*) from duckdb_tables() where table_name = 'int_segments__labelled_moments'"
    ).fetchone()
    found = lift.measure(connection) if built[0] else []
    _replace(
        connection,
        "segment_lift",
        [{**vars(one), "lift_rank": number} for number, one in enumerate(found, start=1)],
    )
    if not found:
        return "lift: too few people with a known outcome"
    return f"lift: {found[0].segment_family} tells most of conversion"


def _replace(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Replace what a table says as of now."""
    as_of = matrix.as_of(connection)
    connection.execute("begin")
    connection.execute(f"delete from ml.{table} where trained_as_of = ?", [as_of])
    if rows:
        frame = pd.DataFrame(rows)
        connection.register("trained", frame)
        connection.execute(
            f"insert into ml.{table} by name select ?::timestamp as trained_as_of, * from trained",
            [as_of],
        )
        connection.unregister("trained")
    connection.execute("commit")


def _asked(rows: matrix.Matrix, of_customers: bool) -> np.ndarray:
    if not of_customers:
        return np.ones(len(rows), bool)
    return rows.values[:, rows.names.index("orders_count")] > 0


def _tiers(told: np.ndarray, medium: float, high: float) -> np.ndarray:
    return np.where(told >= high, "high", np.where(told >= medium, "medium", "low"))


def _path(settings: Settings, family: str, version: int) -> Path:
    return settings.data / "models" / f"{family}-{version}.joblib"


def _save(path: Path, model: object) -> str:
    """Write a model whole or not at all; returns its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    joblib.dump(model, written)
    sha256 = hashlib.sha256(written.read_bytes()).hexdigest()
    written.replace(path)
    return sha256


def _load(path: Path, sha256: str) -> Any:
    """Read a model that was trained here: a file of another hash is not opened."""
    what = "is not there" if not path.is_file() else None
    if what is None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        what = "is not the file that was trained"
    if what:
        raise ApportionError(f"the model {path} {what}", "apportion train")
    return joblib.load(path)


def _moment(value: np.datetime64) -> dt.datetime:
    return value.astype("datetime64[us]").item()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
