"""The DAG: thin, quick to parse, one task per step of a night."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from apportion import runner
from apportion.night import PRIVACY_STEPS, STEPS, Step
from apportion.settings import Settings

HEAVY = ("dbt", "duckdb", "great_expectations", "pandas", "pyarrow", "rich", "sklearn")

# Parses the file as Airflow's processor does, and prints what came of it.
INSPECT = """
import json, sys, time
from airflow import sdk  # Airflow's own import is not the file's to answer for.
began = time.monotonic()
before = set(sys.modules)
import importlib.util
spec = importlib.util.spec_from_file_location("file", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
seconds = time.monotonic() - began
found = getattr(module, sys.argv[2])()
print(json.dumps({
    "seconds": seconds,
    "modules": sorted({name.split(".")[0] for name in set(sys.modules) - before}),
    "dag_id": found.dag_id,
    "doc_md": found.doc_md,
    "catchup": found.catchup,
    "max_active_runs": found.max_active_runs,
    "schedule": found.schedule,
    "tags": sorted(found.tags),
    "params": sorted(found.params),
    "tasks": [
        {
            "task_id": task.task_id,
            "upstream": sorted(task.upstream_task_ids),
            "pool": task.pool,
            "retries": task.retries,
            "owner": task.owner,
            "timeout": task.execution_timeout.total_seconds(),
            "outlets": [outlet.name for outlet in task.outlets],
            "never_retried": [rule.exception_path for rule in task.retry_policy.rules],
        }
        for task in found.topological_sort()
    ],
}))
"""


def inspect(project: Path, home: Path, dag: str = "nightly", **environment: str) -> dict:
    result = subprocess.run(
        [sys.executable, "-c", INSPECT, str(project / "dags" / f"{dag}.py"), dag],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        | environment,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def nightly(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return inspect(project, tmp_path_factory.mktemp("airflow"))


def test_dag_files_are_thin(project: Path) -> None:
    files = sorted((project / "dags").glob("*.py"))
    assert files
    for file in files:
        assert len(file.read_text().splitlines()) <= 80, file


def test_nothing_heavy_is_imported_at_parse(nightly: dict) -> None:
    assert not set(HEAVY) & set(nightly["modules"])
    assert nightly["seconds"] < 2


def test_tasks_are_the_steps_of_a_night_in_a_row(nightly: dict) -> None:
    tasks = nightly["tasks"]
    assert [task["task_id"] for task in tasks] == [step.name for step in STEPS]
    for before, task in zip([None, *tasks], tasks, strict=False):
        assert task["upstream"] == ([before["task_id"]] if before else [])


def test_each_task_has_a_pool_an_owner_retries_and_a_timeout(nightly: dict) -> None:
    for task in nightly["tasks"]:
        assert task["pool"] == "warehouse_writer"
        assert task["owner"] != "airflow"
        assert task["retries"] == 2
        assert 0 < task["timeout"] <= 4 * 3600
        assert task["never_retried"] == ["apportion.errors.GateFailed"]


def test_only_publish_tells_of_the_published_file(nightly: dict) -> None:
    outlets = {task["task_id"]: task["outlets"] for task in nightly["tasks"] if task["outlets"]}
    assert outlets == {"publish": ["apportion_published"]}


def test_the_dag_says_what_it_is(nightly: dict) -> None:
    assert nightly["dag_id"] == "nightly"
    for word in ("Reads", "Writes", "When red"):
        assert word in nightly["doc_md"]
    assert nightly["catchup"] is False
    assert nightly["max_active_runs"] == 1
    assert nightly["schedule"] == "0 2 * * *"
    assert nightly["tags"]
    assert nightly["params"] == ["data", "date", "full_refresh", "landing", "run_id"]


def test_the_schedule_is_a_setting(project: Path, tmp_path: Path) -> None:
    assert inspect(project, tmp_path, APPORTION_SCHEDULE="5 * * * *")["schedule"] == "5 * * * *"


def test_the_runbook_names_every_task(project: Path) -> None:
    runbook = (project / "dags" / "README.md").read_text()
    for step in STEPS:
        assert f"| {step.name} |" in runbook
    for step in PRIVACY_STEPS:
        assert re.search(rf"[| ]{step.name}[ ,]", runbook), step.name


def test_privacy_is_a_night_that_erases_before_it_publishes(project: Path, tmp_path: Path) -> None:
    privacy = inspect(project, tmp_path, "privacy")
    names = [task["task_id"] for task in privacy["tasks"]]
    assert names == [step.name for step in PRIVACY_STEPS]
    assert names.index("erase") < names.index("build_marts") < names.index("publish")
    assert names[-1] == "purge"
    # What was built before people were erased is built again.
    for step in ("build_staging", "gate_staging", "build_intermediate", "gate_intermediate"):
        assert names.index(f"{step}_again") > names.index("erase")
    assert not set(HEAVY) & set(privacy["modules"])
    assert {task["pool"] for task in privacy["tasks"]} == {"warehouse_writer"}
    for word in ("Reads", "Writes", "When red"):
        assert word in privacy["doc_md"]


def test_a_task_takes_its_params_else_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []
    monkeypatch.setattr(runner, "run_step", lambda night, step: seen.append((night, step)))
    monkeypatch.setenv("APPORTION_DATA", str(tmp_path / "from-environment"))
    step = Step("name", "module", "function")
    nothing = dict.fromkeys(("landing", "data", "date", "run_id"))
    at = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
    runner.run_task(step, nothing | {"full_refresh": False}, at)
    given = {
        "landing": str(tmp_path / "in"),
        "data": str(tmp_path / "out"),
        "date": "2026-02-28",
        "run_id": "a-name",
        "full_refresh": True,
    }
    runner.run_task(step, given, at)
    (first, _), (second, _) = seen
    data = tmp_path / "from-environment"
    assert first.settings == Settings(data, data / "landing")
    assert (first.run_id, first.date, first.full_refresh) == ("20260301T020000000000Z", None, False)
    assert second.settings == Settings(tmp_path / "out", tmp_path / "in")
    assert (second.run_id, second.date, second.full_refresh) == (
        "a-name",
        dt.date(2026, 2, 28),
        True,
    )


@pytest.fixture(scope="module")
def airflow_night(tmp_path_factory: pytest.TempPathFactory, apportion) -> tuple[Settings, object]:
    from small_world import write_small_world

    folder = tmp_path_factory.mktemp("airflow-night")
    settings = Settings(folder / "data", folder / "landing")
    write_small_world(settings.landing)
    result = apportion("run", "--airflow", "--landing", settings.landing, "--data", settings.data)
    return settings, result


def test_a_night_through_airflow_does_all_steps(airflow_night) -> None:
    settings, result = airflow_night
    assert result.returncode == 0, result.stderr
    for step in STEPS:
        assert f" {step.name} " in result.stderr
    assert str(settings.published / "apportion.duckdb") in result.stdout
    assert (settings.published / "apportion.duckdb").exists()
    assert "[info" not in result.stdout + result.stderr, "Airflow's own log is on the terminal"


def test_a_failed_night_through_airflow_keeps_its_exit_status(airflow_night, apportion) -> None:
    settings, _ = airflow_night
    before = settings.published.readlink()
    (settings.landing / "vars.yml").write_text("default_journey_boundary: 7\nmax_touches: none\n")
    result = apportion("run", "--airflow", "--landing", settings.landing, "--data", settings.data)
    assert result.returncode in (1, 3), result.stdout + result.stderr
    assert "build_" in result.stderr and "FAILED" in result.stderr
    assert "next:" in result.stderr
    assert "Traceback" not in result.stderr
    assert settings.published.readlink() == before
