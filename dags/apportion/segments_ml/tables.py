"""The tables of schema ml that training writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# What training writes; described in models/marts/segments/_ml__sources.yml. Only what labels follow
# from has valid_from: a change of it in the past rebuilds what was labelled.
TABLES = {
    "attribute_importance": "trained_as_of timestamp, outcome varchar, attribute varchar,"
    " test varchar, statistic double, p_value double, importance double, redundant_with varchar",
    "cluster_centroids": "version bigint, valid_from timestamp, fitted_at timestamp,"
    " method varchar, attributes varchar[], shifts double[], factors double[],"
    " centers double[][], names varchar[]",
    "cluster_comparison": "trained_as_of timestamp, method varchar, k bigint, silhouette double,"
    " stability double, responsiveness double, inertia double, people bigint, smallest bigint,"
    " is_published boolean",
    "cluster_map": "trained_as_of timestamp, user_key varchar, segment varchar, x double, y double",
    "cluster_axes": "trained_as_of timestamp, axis bigint, attribute varchar, loading double,"
    " variance_share double",
    "segment_lift": "trained_as_of timestamp, segment_family varchar, people bigint,"
    " log_loss_without double, log_loss_with double, lift double, ci_low double, ci_high double,"
    " lift_rank bigint",
    "segment_models": "segment_family varchar, version bigint, trained_as_of timestamp,"
    " trained_at timestamp, algorithm varchar, settings varchar, outcome varchar,"
    " outcome_days bigint, rows_learned bigint, rows_held_back bigint, learned_from timestamp,"
    " learned_until timestamp, held_back_at timestamp, positive_share double, roc_auc double,"
    " baseline_roc_auc double, champion_roc_auc double, f1 double, brier double, log_loss double,"
    " calibration_error double, importances varchar, attributes varchar[],"
    " medium_from double, high_from double, file_sha256 varchar, library_versions varchar,"
    " is_promoted boolean, remark varchar",
    # Written last: a training that was cut off is none.
    "trainings": "trained_as_of timestamp, trained_at timestamp",
    "segment_scores": "segment_family varchar, user_key varchar, segment varchar, score double,"
    " model_version bigint, valid_from timestamp",
}


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that training writes, where they are not there."""
    connection.execute("create schema if not exists ml")
    for table, columns in TABLES.items():
        connection.execute(f"create table if not exists ml.{table} ({columns})")
