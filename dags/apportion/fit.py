"""Fit the versioned inputs of the segment families: the quintile limits of rfm."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from apportion import warehouse

if TYPE_CHECKING:
    import duckdb

    from apportion.night import Night

PERCENTS = (20, 40, 60, 80)
# Prefix of the limits' columns: (column of the feature row, SQL type of the limit).
MEASURES = {
    "r": ("days_since_last_order", "bigint"),
    "f": ("orders_365d", "bigint"),
    "m": ("revenue_365d", "decimal(18, 4)"),
}


def score(night: Night) -> str:
    """Make sure that the marts find fitted inputs: fit once where there is no version yet.

    Versions that exist are left as they are; a later one comes from `fit`, weekly.

    Args:
        night: the run; its warehouse holds int_features__now.

    Returns:
        One line for people.
    """
    with warehouse.connect(night.settings.warehouse) as connection:
        _prepare(connection)
        version = connection.execute("select max(version) from ml.rfm_thresholds").fetchone()[0]
        if version is None:
            return _fit_rfm(connection)
        return f"rfm thresholds: version {version} is in use, nothing to fit"


def fit(night: Night) -> str:
    """Fit a new version of each input, valid from the moment that the warehouse is judged as of.

    A second fit as of the same moment replaces the first.

    Args:
        night: the run; its warehouse holds int_features__now.

    Returns:
        One line for people.
    """
    with warehouse.connect(night.settings.warehouse) as connection:
        _prepare(connection)
        return _fit_rfm(connection)


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    limits = ", ".join(
        f"{letter}_{percent} {sql_type}"
        for letter, (_, sql_type) in MEASURES.items()
        for percent in PERCENTS
    )
    connection.execute("create schema if not exists ml")
    connection.execute(
        "create table if not exists ml.rfm_thresholds"
        f" (version bigint, valid_from timestamp, fitted_at timestamp, {limits})"
    )


def _fit_rfm(connection: duckdb.DuckDBPyConnection) -> str:
    """Write the value at rank ceil(p n / 100) of each measure, over the n people with an order."""
    ranks = ", ".join(
        f"row_number() over (order by {column}) as {letter}_rank"
        for letter, (column, _) in MEASURES.items()
    )
    limits = ", ".join(
        # (n p + 99) // 100 is ceil(n p / 100) in whole numbers.
        f"max({column}) filter ({letter}_rank = (people * {percent} + 99) // 100)"
        for letter, (column, _) in MEASURES.items()
        for percent in PERCENTS
    )
    as_of, people, *values = connection.execute(
        f"""
        with customers as (
            select *, count(*) over () as people, {ranks}
            from intermediate.int_features__now
            where orders_count > 0
        )
        select (select as_of from ops.clock), count(*), {limits} from customers
        """
    ).fetchone()
    if people == 0:
        return "rfm thresholds: nobody has ordered yet, nothing to fit"
    connection.execute("begin")
    try:
        connection.execute("delete from ml.rfm_thresholds where valid_from = ?", [as_of])
        (version,) = connection.execute(
            "select coalesce(max(version), 0) + 1 from ml.rfm_thresholds"
        ).fetchone()
        fitted_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        row = [version, as_of, fitted_at, *values]
        connection.execute(
            f"insert into ml.rfm_thresholds values ({', '.join('?' * len(row))})", row
        )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return f"rfm thresholds: version {version} fitted on {people:,} people with an order"
