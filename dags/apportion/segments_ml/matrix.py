"""The numbers that are known of people, as matrices: as of the night, and as of past months."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import duckdb

KEYS = ("user_key", "moment_type", "moment_id", "feature_at")
# Rows of past months that are learned from and judged on, at most: person after person.
SAMPLE_ROWS = 400_000
# Days ahead that an outcome looks.
CONVERSION_DAYS = 28
CHURN_DAYS = 56
# Outcomes of a person in the days from a snapshot on: SQL over orders and conversions as `later`.
OUTCOMES = {
    "conversion": (CONVERSION_DAYS, "int_conversions__valued", "converted_at", "count(*) > 0"),
    "churn": (CHURN_DAYS, "int_conversions__orders", "ordered_at", "count(*) = 0"),
    "value": (CHURN_DAYS, "int_conversions__orders", "ordered_at", "sum(revenue)"),
}


@dataclass(frozen=True)
class Matrix:
    """Rows of people.

    Attributes:
        keys: person of each row, in the order of the md5 of the key: any first rows are a sample.
        names: of the columns.
        values: float64, rows x columns; nan where a person's value is not known.
        at: moment (UTC) of each row.
    """

    keys: np.ndarray
    names: list[str]
    values: np.ndarray
    at: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    def where(self, chosen: np.ndarray) -> Matrix:
        """The rows of a mask or an index."""
        return Matrix(self.keys[chosen], self.names, self.values[chosen], self.at[chosen])


def now(connection: duckdb.DuckDBPyConnection) -> Matrix:
    """Everybody as of the night."""
    return _read(connection, "vectors.moment_type = 'now'", "")[0]


def snapshots(connection: duckdb.DuckDBPyConnection, outcome: str) -> tuple[Matrix, np.ndarray]:
    """People as of each month's first day of which the days of the outcome are over.

    Args:
        connection: of the warehouse.
        outcome: a key of OUTCOMES.

    Returns:
        The rows and the outcome of each, float64.
    """
    days, relation, moment, expression = OUTCOMES[outcome]
    counted = "true"
    if relation == "int_conversions__orders":
        counted = "not later.is_cancelled and later.exclusion_reason is null"
    column = f"""
        , coalesce((
            select cast({expression} as double) from intermediate.{relation} as later
            where later.user_key = vectors.user_key and {counted}
            and later.{moment} >= vectors.feature_at
            and later.{moment} < vectors.feature_at + interval {days} days
        ), 0) as outcome"""
    return _read(
        connection,
        "vectors.moment_type = 'snapshot' and vectors.feature_at + interval"
        f" {days} days <= (select as_of from ops.clock)",
        column,
        f" limit {SAMPLE_ROWS}",
    )


def last_snapshot(at: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """A split by time: rows to learn from, and rows of the last snapshot, which are held back.

    What was learned from had its outcome before the snapshot that is held back.

    Returns:
        Two masks; both are empty where there are not two such snapshots.
    """
    if not len(at):
        return np.zeros(0, bool), np.zeros(0, bool)
    held_back = at == at.max()
    learned = at + np.timedelta64(days, "D") <= at.max()
    if not learned.any():
        held_back = np.zeros(len(at), bool)
    return learned, held_back


def _read(
    connection: duckdb.DuckDBPyConnection, condition: str, column: str, limit: str = ""
) -> tuple[Matrix, np.ndarray]:
    rows = connection.execute(
        f"select vectors.*{column} from intermediate.int_features__vectors as vectors"
        f" where {condition} order by md5(vectors.user_key), vectors.feature_at{limit}"
    ).fetchnumpy()
    names = [name for name in rows if name not in (*KEYS, "outcome")]
    values = np.column_stack(
        [np.ma.filled(np.ma.asarray(rows[name], np.float64), np.nan) for name in names]
    )
    values[~np.isfinite(values)] = np.nan
    matrix = Matrix(np.asarray(rows["user_key"]), names, values, np.asarray(rows["feature_at"]))
    return matrix, np.ma.filled(np.ma.asarray(rows.get("outcome", [])), 0).astype(np.float64)


def as_of(connection: duckdb.DuckDBPyConnection) -> dt.datetime:
    """The moment that the warehouse is judged as of."""
    return connection.execute("select as_of from ops.clock").fetchone()[0]
