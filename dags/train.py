"""### train: what is learned of everybody, weekly

Matches CRM records where var `identity_matching` is on, fits the thresholds and weights that labels
and credit follow from, learns clusters and the models of the predictive families, and measures
which segmentation tells of conversion.

- **Reads** the tables that the last night left in `<data>/warehouse.duckdb`.
- **Writes** schema `ml` there, `<data>/models/`, and matches into `<landing>/identity_matches/`.
  Labels and merged people follow with the next night.
- **When red**: the last versions stay in use. Read the log of the red task, mend, clear it: a
  training as of the same moment replaces the one before. A model is promoted only if it beats the
  one in use.
"""

from __future__ import annotations

import datetime as dt

from airflow import sdk

from apportion.night import TRAINING


@sdk.task(pool="warehouse_writer")
def run_step(number: int) -> str:
    """Run one step; returns its line for people."""
    from apportion import runner

    context = sdk.get_current_context()
    return runner.run_task(TRAINING[number], context["params"], context["dag_run"].run_after)


@sdk.dag(
    schedule="0 5 * * 1",
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    max_active_runs=1,
    fail_fast=True,
    doc_md=__doc__,
    tags=["apportion", "learning"],
    params={
        "landing": sdk.Param(None, type=["null", "string"], description="Input folder"),
        "data": sdk.Param(None, type=["null", "string"], description="Folder of everything made"),
        "date": sdk.Param(None, type=["null", "string"], format="date", description="Not used"),
        "full_refresh": sdk.Param(False, type="boolean", description="Not used"),
        "run_id": sdk.Param(None, type=["null", "string"], description="Name of the run"),
    },
    default_args={
        "owner": "data-platform",
        "retries": 1,
        "retry_delay": dt.timedelta(minutes=5),
        "execution_timeout": dt.timedelta(hours=1),
    },
)
def train() -> None:
    """One task per step of a training, in their order."""
    sdk.chain(
        *(run_step.override(task_id=step.name)(number) for number, step in enumerate(TRAINING))
    )


train()
