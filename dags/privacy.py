"""### privacy: the requests of people

A night that also erases whoever asked for it (data set `privacy_requests`, `apportion erase`), and
proves that nothing of them is left. Without a request it is a night like any other.

- **Reads** the landing folder (`APPORTION_LANDING`, default `<data>/landing`).
- **Writes** the landing files with rows of erased people, `<data>/warehouse.duckdb`, a version
  without them; removes the versions before it.
- **When red**: nobody is half erased. Clear the red task and run it again: it goes on where it
  stopped. `purge` is red where something is left, and says where. `docs/privacy.md` says the rest.
"""

from __future__ import annotations

import datetime as dt
import os

from airflow import sdk

from apportion import dags
from apportion.night import PRIVACY_STEPS


@sdk.dag(
    schedule=os.environ.get("APPORTION_PRIVACY_SCHEDULE", "0 5 * * 0"),
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    max_active_runs=1,
    fail_fast=True,
    doc_md=__doc__,
    tags=["apportion", "privacy"],
    params=dags.PARAMS,
    default_args=dags.DEFAULT_ARGS,
)
def privacy() -> None:
    """One task per step, in their order."""
    dags.chain(PRIVACY_STEPS)


privacy()
