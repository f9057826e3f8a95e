"""Fit the versioned inputs: the limits of rfm, what data-driven models learn, lifetime value."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from apportion import clv, transform, warehouse
from apportion.errors import ApportionError
from apportion.segments_ml import tables

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
# Environment variable: "off" leaves the first training of segments to `apportion train`.
FIRST_TRAINING = "APPORTION_FIRST_TRAINING"
CLV_PARAMETERS = ("r", "alpha", "a", "b", "p", "q", "v")
# Weeks ahead that predicted lifetime value looks: a year.
CLV_WEEKS = 52
SECONDS_OF_WEEK = 7 * 86400


def score(night: Night) -> str:
    """Make sure that the marts find fitted inputs: fit and train once where that was never done.

    Versions that exist are left as they are; a later one comes from `apportion train`, weekly.

    Args:
        night: the run; its warehouse holds int_features__now.

    Returns:
        One line for people.
    """
    with warehouse.connect(night.settings.warehouse) as connection:
        _prepare(connection)
        versions = {
            table: connection.execute(f"select max(version) from ml.{table}").fetchone()[0]
            for table in ("rfm_thresholds", "attribution_element_weights", "clv_parameters")
        }
        said = []
        if versions["rfm_thresholds"] is None:
            said.append(_fit_rfm(connection))
        if versions["clv_parameters"] is None:
            said.append(_fit_clv(connection))
        _score_clv(connection)
        models, trainings = connection.execute(
            "select (select count(*) from ml.segment_models), (select count(*) from ml.trainings)"
        ).fetchone()
        if models:
            # Imported where there is something to score: scikit-learn takes seconds.
            from apportion.segments_ml import train

            said.append(train.score(night.settings, connection))
    if not trainings and os.environ.get(FIRST_TRAINING) != "off":
        # Clusters and predictions are there from the first night on, not from the first Sunday.
        from apportion.segments_ml import train

        try:
            said.append(train.train(night))
        except ApportionError as error:
            # What people read is not kept from them for it; the weekly training fails aloud.
            said.append(f"segments are not trained: {error}; apportion train says more")
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
        said = [_fit_rfm(connection), _fit_clv(connection)]
        _score_clv(connection)
    return "; ".join([*said, _fit_attribution(night)])


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
    parameters = ", ".join(f"{name} double" for name in CLV_PARAMETERS)
    connection.execute(
        "create table if not exists ml.clv_parameters"
        f" (version bigint, valid_from timestamp, fitted_at timestamp, {parameters})"
    )
    connection.execute(
        "create table if not exists ml.clv_scores"
        " (user_key varchar, predicted_clv decimal(18, 4), residual_clv decimal(18, 4),"
        " scored_at timestamp)"
    )
    # A warehouse of an older version has the table without it.
    connection.execute(
        "alter table ml.clv_scores add column if not exists residual_clv decimal(18, 4)"
    )
    for table, columns in ATTRIBUTION_TABLES.items():
        connection.execute(f"create table if not exists ml.{table} ({columns})")
    tables.prepare(connection)


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


def _customers(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Each customer's orders as lifetime value sees them; orders of one day are one."""
    return connection.execute(
        f"""
        with days as (
            select
                user_key, cast(ordered_at as date) as day, min(ordered_at) as ordered_at,
                sum(revenue) as revenue
            from intermediate.int_conversions__orders
            where not is_cancelled and exclusion_reason is null and user_key is not null
            group by all
        ),

        numbered as (
            select *, row_number() over (partition by user_key order by day) as number
            from days
        )

        select
            user_key,
            cast(count(*) - 1 as double) as frequency,
            (epoch(max(ordered_at)) - epoch(min(ordered_at))) / {SECONDS_OF_WEEK} as recency,
            (epoch((select as_of from ops.clock)) - epoch(min(ordered_at))) / {SECONDS_OF_WEEK}
                as age,
            cast(coalesce(sum(revenue) filter (number > 1), 0) as double)
                / greatest(count(*) - 1, 1) as value
        from numbered
        group by user_key
        order by user_key
        """
    ).fetchnumpy()


def _fit_clv(connection: duckdb.DuckDBPyConnection) -> str:
    """Write a version of the parameters of lifetime value, where there are customers enough."""
    customers = _customers(connection)
    fitted = clv.fit(*(customers[name] for name in ("frequency", "recency", "age", "value")))
    if fitted is None:
        return "lifetime value: too few customers came back, nothing to fit"
    (as_of,) = connection.execute("select as_of from ops.clock").fetchone()
    connection.execute("begin")
    connection.execute("delete from ml.clv_parameters where valid_from = ?", [as_of])
    (version,) = connection.execute(
        "select coalesce(max(version), 0) + 1 from ml.clv_parameters"
    ).fetchone()
    fitted_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    row = [version, as_of, fitted_at, *(getattr(fitted, name) for name in CLV_PARAMETERS)]
    connection.execute(f"insert into ml.clv_parameters values ({', '.join('?' * len(row))})", row)
    connection.execute("commit")
    return f"lifetime value: version {version} fitted on {len(customers['user_key']):,} customers"


def _score_clv(connection: duckdb.DuckDBPyConnection) -> None:
    """Predict what each customer will spend in a year; replaces all.

    `predicted_clv` is of the year from now, by the last version of the parameters. `residual_clv`,
    which credit counts on top of the revenue to date, is of the year from the customer's last
    order, or from the beginning of this month where that is later, by the version that held then
    (else the first): it stays through a month without an order, and so does the credit.
    """
    as_of, month_began_at = connection.execute(
        "select as_of, date_trunc('month', as_of) from ops.clock"
    ).fetchone()
    versions = connection.execute(
        f"select valid_from, {', '.join(CLV_PARAMETERS)} from ml.clv_parameters"
        " where valid_from <= ? order by valid_from",
        [as_of],
    ).fetchall()
    connection.execute("delete from ml.clv_scores")
    if not versions:
        return
    held = [version for version in versions if version[0] <= month_began_at] or versions[:1]
    customers = _customers(connection)
    since_month = (as_of - month_began_at).total_seconds() / SECONDS_OF_WEEK
    age_then = np.maximum(customers["age"] - since_month, customers["recency"])
    scores = pd.DataFrame(
        {
            "user_key": customers["user_key"],
            "predicted_clv": _coming_revenue(versions[-1], customers, customers["age"]),
            "residual_clv": _coming_revenue(held[-1], customers, age_then),
        }
    )
    connection.register("scores", scores)
    connection.execute(
        "insert into ml.clv_scores by name"
        " select user_key, cast(predicted_clv as decimal(18, 4)) as predicted_clv,"
        " cast(residual_clv as decimal(18, 4)) as residual_clv,"
        " (select as_of from ops.clock) as scored_at"
        " from scores where isfinite(predicted_clv) and isfinite(residual_clv)"
    )
    connection.unregister("scores")


def _coming_revenue(version: tuple, customers: dict[str, Any], age: Any) -> Any:
    """What each customer is expected to spend in a year, by a version, at an age in weeks."""
    fitted = clv.Parameters(*version[1:])
    frequency = customers["frequency"]
    orders = clv.expected_orders(fitted, CLV_WEEKS, frequency, customers["recency"], age)
    return orders * clv.expected_value(fitted, frequency, customers["value"])
