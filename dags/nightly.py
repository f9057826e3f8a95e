"""### nightly: one night, end to end

Loads what landed, builds the warehouse stage by stage with a gate after each, and publishes.

- **Reads** the landing folder (`APPORTION_LANDING`, default `<data>/landing`).
- **Writes** `<data>/warehouse.duckdb`, then `<data>/versions/<run id>/`, then the link
  `<data>/published`. Only `publish` changes what people read.
- **When red**: people go on reading the last good version. Open the red task's log: its last lines
  say what happened and the next command. A `gate_*` task is red because the data is wrong, so it is
  not retried. `apportion status` shows the night; `dags/README.md` says what to do for each task.
"""

from __future__ import annotations

import datetime as dt
import os

from airflow import sdk

from apportion import dags
from apportion.night import STEPS


@sdk.dag(
    schedule=os.environ.get("APPORTION_SCHEDULE", "0 2 * * *"),
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    max_active_runs=1,
    fail_fast=True,
    doc_md=__doc__,
    tags=["apportion", "warehouse"],
    params=dags.PARAMS,
    default_args=dags.DEFAULT_ARGS,
)
def nightly() -> None:
    """One task per step of a night, in their order."""
    dags.chain(STEPS)


nightly()
