"""What the DAGs have in common: params, retries, and the task that runs one step."""

from __future__ import annotations

import datetime as dt
import os

from airflow import sdk

from apportion.night import PRIVACY_STEPS, STEPS, Step

PARAMS = {
    "landing": sdk.Param(None, type=["null", "string"], description="Input folder"),
    "data": sdk.Param(None, type=["null", "string"], description="Folder of everything made"),
    "date": sdk.Param(None, type=["null", "string"], format="date", description="Judge as of"),
    "full_refresh": sdk.Param(False, type="boolean", description="Rebuild every model from raw"),
    "run_id": sdk.Param(None, type=["null", "string"], description="Name of the run"),
}
DEFAULT_ARGS = {
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
}
PUBLISHED = sdk.Asset("apportion_published")
_BY_NAME: dict[str, Step] = {step.name: step for step in (*STEPS, *PRIVACY_STEPS)}


@sdk.task(pool="warehouse_writer")
def run_step(name: str) -> str:
    """Run one step; returns its line for people."""
    from apportion import runner

    context = sdk.get_current_context()
    return runner.run_task(_BY_NAME[name], context["params"], context["dag_run"].run_after)


def chain(steps: tuple[Step, ...]) -> None:
    """One task per step, in their order; `publish` tells of the published file."""
    outlets = {"publish": [PUBLISHED]}
    sdk.chain(
        *(
            run_step.override(task_id=step.name, outlets=outlets.get(step.name, []))(step.name)
            for step in steps
        )
    )
