"""What the weekly training costs, and whether SQL assigns clusters as scikit-learn does.

Made-up people of eight kinds, with what a warehouse knows of them at each month's first day: as
wide, as many and as related as told. Prints time, CPU time and the peak memory of the process; then
labels a million points by the macro that labels touches, and by the library.

    python tests/bench/bench_training.py --people 200000 --attributes 40
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from apportion import transform
from apportion.night import Night
from apportion.segments_ml import train
from apportion.settings import Settings
from apportion.warehouse import connect

AS_OF = dt.datetime(2026, 6, 15)
MONTHS = 12
# Kinds of people differ in how often they buy and, in other ways, in what else is known of them.
KINDS = 8
FAMILIES = 20
KNOWN = ("days_since_last_order", "orders_count", "orders_365d")


def world(connection: duckdb.DuckDBPyConnection, people: int, attributes: int) -> None:
    """Fill the tables that training reads."""
    connection.execute("create schema if not exists intermediate; select setseed(0.5)")
    connection.execute(
        f"create table people as select 'u' || id as user_key, id % {KINDS} as kind,"
        f" 0.2 + (id % {KINDS}) * 0.3 as yearly_orders from range({people}) as ids (id)"
    )
    connection.execute(
        "create table intermediate.int_conversions__orders as select user_key,"
        " timestamp '2024-01-01' + to_seconds(random() * 77000000) as ordered_at,"
        " 20 + 80 * random() as revenue, false as is_cancelled, null as exclusion_reason"
        " from people, range(40) as tries (try)"
        " where hash(user_key, try) / 18446744073709551616 < yearly_orders * 2.5 / 40"
    )
    connection.execute(
        "create table intermediate.int_conversions__valued as"
        " select user_key, ordered_at as converted_at from intermediate.int_conversions__orders"
    )
    # Every third attribute differs by kind; every fourth is unknown of some people.
    others = ", ".join(
        f"case when {number % 4} = 0 and random() < 0.3 then null"
        f" else ln(1 + random() * 40) + {int(number % 3 == 0)} * (kind * {number} % {KINDS}) end"
        f" as attribute_{number:02}"
        for number in range(attributes - len(KNOWN))
    )
    connection.execute(
        f"""
        create table intermediate.int_features__vectors as
        with moments as (
            select 'snapshot' as moment_type, month as feature_at
            from generate_series(
                date_trunc('month', ?::timestamp) - interval {MONTHS - 1} months,
                ?::timestamp, interval 1 month
            ) as months (month)
            union all select 'now', ?::timestamp
        ),

        bought as (
            select
                people.user_key, moments.feature_at, count(orders.ordered_at) as orders_count,
                count(*) filter (where orders.ordered_at >= moments.feature_at - interval 365 days)
                as orders_365d,
                max(orders.ordered_at) as last_order
            from people
            cross join moments
            left join intermediate.int_conversions__orders as orders
                on people.user_key = orders.user_key and orders.ordered_at < moments.feature_at
            group by all
        )

        select
            people.user_key, moments.moment_type, null::varchar as moment_id, moments.feature_at,
            date_diff('day', bought.last_order, moments.feature_at)::double
            as days_since_last_order,
            bought.orders_count::double as orders_count,
            bought.orders_365d::double as orders_365d, {others}
        from people
        cross join moments
        inner join bought
            on people.user_key = bought.user_key and moments.feature_at = bought.feature_at
        """,
        [AS_OF] * 3,
    )
    labels = ", ".join(
        f"'segment ' || (hash(user_key, {number}) % {2 + number % 9}) as segment_made_{number}"
        for number in range(FAMILIES)
    )
    connection.execute(
        "create table intermediate.int_segments__labelled_moments as"
        f" select user_key, moment_type, feature_at, {labels}"
        " from intermediate.int_features__vectors where moment_type = 'snapshot'"
    )
    connection.execute("create table ops.clock as select ?::timestamp as as_of", [AS_OF])


def nearest(settings: Settings, points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """The number, from 0, of the nearest centre of each point, by the project's macro."""
    inline = "select {{ nearest_center('point', 'centers') }} - 1 as label from points, fitted"
    compiled = transform.invoke(settings, ["compile", "--inline", inline], quiet=True)
    with duckdb.connect() as connection:
        table = {f"p{number}": column for number, column in enumerate(points.T)}
        connection.register("columns", table)
        connection.execute(
            f"create table points as select [{', '.join(table)}] as point from columns"
        )
        connection.execute("create table fitted as select ?::double[][] as centers", [centers])
        before = time.process_time()
        sql = compiled.result.results[0].node.compiled_code
        labels = connection.execute(sql).fetchnumpy()["label"]
        spent = time.process_time() - before
    print(f"SQL labels {len(points):,} points in {spent:.1f} s CPU", flush=True)
    return np.asarray(labels)


def assignment(settings: Settings, rows: int) -> None:
    """Compare the macro with `KMeans.predict` on points of the space of the published centres."""
    from sklearn.cluster import KMeans

    with connect(settings.warehouse, read_only=True) as connection:
        (centers,) = connection.execute("select centers from ml.cluster_centroids").fetchone()
    centers = np.array(centers)
    draw = np.random.default_rng(1)
    points = centers[draw.integers(0, len(centers), rows)] + draw.normal(
        0, 2 * centers.std(axis=0) + 0.01, (rows, centers.shape[1])
    )
    library = KMeans(len(centers), n_init=1, init=centers, max_iter=1).fit(centers)
    library.cluster_centers_ = centers
    told, ours = library.predict(points), nearest(settings, points, centers)
    other = told != ours
    distances = np.sort(
        np.sqrt(((points[other, None, :] - centers[None]) ** 2).sum(axis=2)), axis=1
    )
    ties = distances[:, 1] - distances[:, 0] <= 1e-9 * distances[:, 1]
    sizes = np.bincount(ours, minlength=len(centers))
    print(
        f"of {rows:,} points in {len(centers)} clusters of {sizes.min():,} to {sizes.max():,},"
        f" {other.sum() - ties.sum()} otherwise than scikit-learn ({ties.sum()} ties)"
    )


def main() -> None:
    """Print what training costs, and how assignments compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--points", type=int, default=1_000_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.resolve(Path(folder) / "data", Path(folder) / "landing")
        settings.data.mkdir()
        with connect(settings.warehouse) as connection:
            connection.execute("create schema ops")
            world(connection, chosen.people, chosen.attributes)
        made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, cpu = time.monotonic(), time.process_time()
        print(train.train(Night(settings)).replace("; ", "\n"))
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"{chosen.people:,} people, {chosen.attributes} attributes: {wall:.0f} s,"
            f" {cpu:.0f} s CPU, {peak / 2**20:.1f} GiB (making them took {made / 2**20:.1f})",
            flush=True,
        )
        assignment(settings, chosen.points)


if __name__ == "__main__":
    main()
