"""One piece of work, timed in a process of its own: `python work.py WORK DATA`, prints JSON.

CPU and wall time are of the work alone, without start-up and reading of the peers' input; peak
memory is the process's. What Apportion does goes through dbt, or for the solvers through the
SQL that dbt compiled; what the peers do goes through their API.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = 2


def apportion_dbt(data: Path, *arguments: str) -> Callable[[], None]:
    """A dbt command over the warehouse of the world, the project being parsed before."""
    from apportion import transform
    from apportion.settings import Settings

    settings = Settings(data, data / "landing")
    parsed = transform.invoke(settings, ["parse"], quiet=True)
    from dbt.cli.main import dbtRunner

    command = transform.command(settings, arguments, quiet=True)

    def work() -> None:
        result = dbtRunner(manifest=parsed.result).invoke(command)
        assert result.success, result.exception

    return work


def apportion_sql(data: Path, *steps: tuple[str, str]) -> Callable[[], None]:
    """Tables made by the macros of the fitting step, each a (name, macro call)."""
    import duckdb

    from apportion import transform
    from apportion.settings import Settings

    separator = "\n-- next\n"
    inline = separator.join(
        call if call.startswith("select") else "{{ " + call + " }}" for _, call in steps
    )
    settings = Settings(data, data / "landing")
    result = transform.invoke(settings, ["compile", "--inline", inline], quiet=True)
    assert result.success, result.exception
    texts = result.result.results[0].node.compiled_code.split(separator)
    connection = duckdb.connect()
    connection.execute(f"set threads = {THREADS}")
    # As attribution_training_touches gives them.
    connection.execute(
        "create table touches as select 'all' as attribution_scope, 'order' as conversion_type,"
        " journey_number, touch_number, channel as element, is_converted"
        f" from '{data}/touches.parquet'"
    )

    def work() -> None:
        for (name, _), text in zip(steps, texts, strict=True):
            connection.execute(f"create or replace table {name} as {text}")

    return work


JOURNEYS = [
    ("elements", "attribution_training_elements('touches', {'markov': 64, 'shapley': 16})"),
    ("journeys", "attribution_training_journeys('touches', 'elements')"),
]


def markov(order: int) -> list[tuple[str, str]]:
    solver = "markov_removal_effects" if order == 1 else "markov_tuple_removal_effects"
    return [
        *JOURNEYS,
        ("long_touches", "attribution_long_touches('touches', 'elements', 'journeys')"),
        ("grams", "markov_grams('journeys', 'long_touches')"),
        ("transitions", f"markov_transitions('grams', {order})"),
        ("effects", f"{solver}('transitions')"),
    ]


def shapley() -> list[tuple[str, str]]:
    return [
        *JOURNEYS,
        (
            "sets",
            "select group_number, shapley_elements as elements, count(*) as journeys_count,"
            " count(*) filter (is_converted) as conversions_count from journeys group by all",
        ),
        ("shapley", "shapley_rate_values('sets', 16)"),
    ]


def plain_sql(data: Path, statement: str) -> Callable[[], None]:
    """A statement over the warehouse of the world: the limits of the machine."""
    import duckdb

    connection = duckdb.connect(str(data / "warehouse.duckdb"))
    connection.execute(f"set threads = {THREADS}")
    return lambda: connection.execute(statement).fetchall() and None


def channelattribution(data: Path, order: int | None) -> Callable[[], None]:
    import ChannelAttribution as peer
    import pandas as pd

    paths = pd.read_parquet(data / "paths.parquet")
    if order is None:
        return lambda: peer.heuristic_models(
            paths, "path", "conversions", var_value="revenue", sep=">", flg_pro=False
        )
    return lambda: peer.markov_model(
        paths,
        "path",
        "conversions",
        var_null="non_conversions",
        order=order,
        out_more=True,
        verbose=False,
        flg_pro=False,
    )


def marketing_attribution_models(data: Path, what: str) -> Callable[[], None]:
    import polars as pl
    from mam import MAM

    touches = pl.read_parquet(data / "touches.parquet")

    def work() -> None:
        models = MAM(
            touches,
            format_type="session",
            channels_colname="channel",
            journey_with_conv_colname="is_converted",
            datetime_colname="touched_at",
            user_id_colname="journey_id",
        )
        if what == "shapley":
            models.run_shapley(max_size=10)
        else:
            models.run_last_click()
            models.run_first_click()
            models.run_linear()
            models.run_position_based()
            models.run_time_decay()

    return work


CREDITS = "intermediate.int_attribution__apportioned"
WORK: dict[str, Callable[[Path], Callable[[], None]]] = {
    "apportion: every model, wide credits written": lambda data: apportion_dbt(
        data, "run", "--full-refresh", "--select", "int_attribution__apportioned"
    ),
    "apportion: credits written, long": lambda data: apportion_dbt(
        data, "run", "--full-refresh", "--select", "attribution_credits"
    ),
    "apportion: the whole fit": lambda data: apportion_dbt(
        data, "run-operation", "attribution_fit"
    ),
    **{
        f"apportion: markov {order}": (
            lambda data, order=order: apportion_sql(data, *markov(order))
        )
        for order in (1, 2, 3)
    },
    "apportion: shapley": lambda data: apportion_sql(data, *shapley()),
    "channelattribution: 3 heuristics": lambda data: channelattribution(data, None),
    **{
        f"channelattribution: markov {order}": (
            lambda data, order=order: channelattribution(data, order)
        )
        for order in (1, 2, 3)
    },
    "marketing-attribution-models: 5 heuristics": lambda data: marketing_attribution_models(
        data, "heuristics"
    ),
    "marketing-attribution-models: shapley": lambda data: marketing_attribution_models(
        data, "shapley"
    ),
    "limit: scan of every column of the touches": lambda data: plain_sql(
        data,
        "select min(columns(*)) from intermediate.int_journeys__touchpoints",
    ),
    "limit: one sort of the touches": lambda data: plain_sql(
        data,
        "create or replace temp table sorted as from intermediate.int_journeys__touchpoints"
        " order by user_key, touched_at, touchpoint_id",
    ),
    "limit: CTAS of the long credits": lambda data: plain_sql(
        data, "create or replace table main.copied as from marts.attribution_credits"
    ),
}


def peak_mb() -> float:
    """The most memory that this process held, in MB: what rusage tells begins with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    name, data = sys.argv[1], Path(sys.argv[2])
    os.environ["APPORTION_DATA"] = str(data)
    work = WORK[name](data)
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print("\n" + json.dumps({**spent, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
