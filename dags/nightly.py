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

from apportion.night import STEPS

PUBLISHED = sdk.Asset("apportion_published")


@sdk.task(pool="warehouse_writer")
def run_step(number: int) -> str:
    """Run one step; returns its line for people."""
    from apportion import runner

    context = sdk.get_current_context()
    return runner.run_task(STEPS[number], context["params"], context["dag_run"].run_after)


@sdk.dag(
    schedule=os.environ.get("APPORTION_SCHEDULE", "0 2 * * *"),
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    max_active_runs=1,
    fail_fast=True,
    doc_md=__doc__,
    tags=["apportion", "warehouse"],
    params={
        "landing": sdk.Param(None, type=["null", "string"], description="Input folder"),
        "data": sdk.Param(None, type=["null", "string"], description="Folder of everything made"),
        "date": sdk.Param(None, type=["null", "string"], format="date", description="Judge as of"),
        "full_refresh": sdk.Param(
            False, type="boolean", description="Rebuild every model from raw"
        ),
        "run_id": sdk.Param(None, type=["null", "string"], description="Name of the run"),
    },
    default_args={
        "owner": "data-platform",
        "retries": int(os.environ.get("APPORTION_RETRIES", "2")),
        "retry_delay": dt.timedelta(minutes=1),
        "retry_exponential_backoff": 3,
        "max_retry_delay": dt.timedelta(minutes=30),
        "retry_policy": sdk.ExceptionRetryPolicy(
            [
                sdk.RetryRule(
                    "apportion.errors.GateFailed", sdk.RetryAction.FAIL, reason="a gate said no"
                )
            ]
        ),
        "execution_timeout": dt.timedelta(hours=2),
    },
)
def nightly() -> None:
    """One task per step of a night, in their order."""
    outlets = {"publish": [PUBLISHED]}
    sdk.chain(
        *(
            run_step.override(task_id=step.name, outlets=outlets.get(step.name, []))(number)
            for number, step in enumerate(STEPS)
        )
    )


nightly()
