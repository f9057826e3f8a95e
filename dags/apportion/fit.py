"""Fit the versioned inputs: the quintile limits of rfm, and what data-driven models learned."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from apportion import transform, warehouse
from apportion.errors import ApportionError

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
# What attribution_fit writes; described in models/marts/segments/_ml__sources.yml.
ATTRIBUTION_TABLES = {
    "attribution_element_weights": "version bigint, valid_from timestamp, fitted_at timestamp,"
    " attribution_model varchar, attribution_scope varchar, conversion_type varchar,"
    " replicate integer, element varchar, is_grouped boolean, element_code integer, weight double,"
    " share double, residual double, markov_order integer, touches_count bigint,"
    " journeys_count bigint, conversions_count bigint, remark varchar",
    "attribution_path_rates": "version bigint, valid_from timestamp, attribution_scope varchar,"
    " conversion_type varchar, touch_count integer, path_code hugeint, journeys_count bigint,"
    " conversions_count bigint",
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
        versions = {
            table: connection.execute(f"select max(version) from ml.{table}").fetchone()[0]
            for table in ("rfm_thresholds", "attribution_element_weights")
        }
        said = []
        if versions["rfm_thresholds"] is None:
            said.append(_fit_rfm(connection))
    if versions["attribution_element_weights"] is None:
        said.append(_fit_attribution(night))
    said += [
        f"{table}: version {version} is in use, nothing to fit"
        for table, version in versions.items()
        if version is not None
    ]
    return "; ".join(said)


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
        said = _fit_rfm(connection)
    return f"{said}; {_fit_attribution(night)}"


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
    for table, columns in ATTRIBUTION_TABLES.items():
        connection.execute(f"create table if not exists ml.{table} ({columns})")


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


def _fit_attribution(night: Night) -> str:
    """Write a version of what data-driven models learned; the solvers are macros of the project.

    Raises:
        ApportionError: a model was not solved to 1e-9; the versions that exist stay.
    """
    with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
        (journeys,) = connection.execute(
            "select count(*) from intermediate.int_journeys__journeys"
            " where not is_open and touch_count > 0"
        ).fetchone()
    if journeys == 0:
        return "attribution: no journey is closed yet, nothing to fit"
    result = transform.invoke(night.settings, ["run-operation", "attribution_fit"], quiet=True)
    if not result.success:
        raise ApportionError(
            f"attribution weights could not be fitted: {result.exception}",
            f"apportion dbt --data {night.settings.data} run-operation attribution_fit",
        )
    with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
        row = connection.execute(
            "select max(version), max(journeys_count), max(residual)"
            " from ml.attribution_element_weights"
            " where version = (select max(version) from ml.attribution_element_weights)"
            " and replicate = 0"
        ).fetchone()
    version, journeys, residual = row
    if version is None:
        return "attribution: no journey of the training period is closed, nothing to fit"
    return (
        f"attribution: version {version} fitted on {journeys:,} journeys, residual {residual:.1e}"
    )
