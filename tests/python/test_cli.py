"""The command line: exit statuses, errors in one screen, one night at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apportion import lock, logs
from apportion.errors import WarehouseBusy
from apportion.settings import Settings
from apportion.simulate import WORLDS

COMMANDS = ("run", "status", "doctor", "explain", "rollback", "restore", "airflow", "simulate")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(apportion, command: str) -> None:
    result = apportion(command, "--help")
    assert result.returncode == 0
    assert "--data" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["run", "--no-such-option"],
        ["run", "--date", "yesterday"],
        ["explain"],
        ["run", "--dataset", "no_such_dataset"],
        ["run", "--dataset", "complete_journey", "--landing", "somewhere"],
    ],
)
def test_wrong_usage_is_status_2(apportion, settings: Settings, arguments: list[str]) -> None:
    result = apportion(*arguments, env=os.environ | {"APPORTION_DATA": str(settings.data)})
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("through", [[], ["--airflow"]])
def test_missing_landing_is_told_before_anything_starts(
    apportion, settings: Settings, through: list[str]
) -> None:
    result = apportion("run", "--landing", settings.landing, "--data", settings.data, *through)
    assert result.returncode == 2
    assert f"{settings.landing} does not exist" in result.stderr
    assert "next:" in result.stderr
    assert "Traceback" not in result.stderr
    assert not settings.data.exists()


def test_a_file_as_landing_is_wrong_usage(apportion, settings: Settings) -> None:
    settings.landing.write_text("not a folder")
    result = apportion("run", "--landing", settings.landing, "--data", settings.data)
    assert result.returncode == 2
    assert "is not a folder" in result.stderr


def test_empty_landing_and_no_warehouse_is_wrong_usage(apportion, settings: Settings) -> None:
    (settings.landing / "events").mkdir(parents=True)
    result = apportion("run", "--landing", settings.landing, "--data", settings.data)
    assert result.returncode == 2
    assert "is empty" in result.stderr
    assert "events/" in result.stderr


def test_broken_vars_are_wrong_usage(apportion, settings: Settings, land) -> None:
    land("events/a.jsonl", [{"event_name": "page_viewed", "occurred_at": "2026-01-01"}])
    (settings.landing / "vars.yml").write_text("lookback: [1")
    result = apportion("run", "--landing", settings.landing, "--data", settings.data)
    assert result.returncode == 2
    assert "vars.yml" in result.stderr


def test_status_before_the_first_night(apportion, settings: Settings) -> None:
    result = apportion("status", "--data", settings.data)
    assert result.returncode == 0, result.stderr
    assert "nothing yet" in result.stdout
    assert "nobody" in result.stdout


def test_explain_without_a_warehouse_fails(apportion, settings: Settings) -> None:
    result = apportion("explain", "some-conversion", "--data", settings.data)
    assert result.returncode == 1
    assert "apportion run" in result.stderr


def test_verbose_shows_where(apportion, settings: Settings) -> None:
    result = apportion("explain", "x", "--data", settings.data, "--verbose")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_second_run_is_told_who_holds_the_first(apportion, settings: Settings, land) -> None:
    land("events/a.jsonl", [{"event_name": "page_viewed", "occurred_at": "2026-01-01"}])
    with lock.hold(settings, "the-first-run"):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("APPORTION")}
        arguments = ("--data", settings.data)
        second = apportion("run", "--landing", settings.landing, *arguments, env=environment)
        pass_through = apportion("dbt", *arguments, "run", env=environment)
        status = apportion("status", *arguments, env=environment)
    for result in (second, pass_through):
        assert result.returncode == 4, result.stderr
        assert "the-first-run" in result.stderr
        assert str(os.getpid()) in result.stderr
    assert status.returncode == 0, status.stderr
    assert "the-first-run" in status.stdout


def test_a_killed_run_leaves_no_lock(settings: Settings, tmp_path: Path) -> None:
    holding = tmp_path / "holding"
    code = (
        "import pathlib, sys, time\n"
        "from apportion import lock\n"
        "from apportion.settings import Settings\n"
        f"with lock.hold(Settings.resolve({str(settings.data)!r}), 'doomed'):\n"
        f"    pathlib.Path({str(holding)!r}).touch()\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 30
        while not holding.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "doomed" in (lock.holder(settings) or "")
        with pytest.raises(WarehouseBusy, match="doomed"), lock.hold(settings, "next"):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lock.holder(settings) is None
    with lock.hold(settings, "next"):
        assert "next" in (lock.holder(settings) or "")
    assert lock.holder(settings) is None


def test_the_lock_is_shared_within_one_run_only(settings: Settings) -> None:
    with lock.hold(settings, "a") as outer:
        with lock.hold(settings, "a") as inner:
            assert inner == outer
        assert lock.holder(settings), "the inner block gave away the lock of the outer one"
        with pytest.raises(WarehouseBusy), lock.hold(settings, "b"):
            pass


@pytest.mark.parametrize(
    "value", ["plain", "two words", 'say "no"', "line\nbreak", "back\\slash and space", "", "a=b c"]
)
def test_log_fields_survive_writing_and_reading(value: str) -> None:
    assert logs.parse(logs.line(before=1, what=value, after=2)) == {
        "before": "1",
        "what": value,
        "after": "2",
    }


def test_simulate_lists_its_worlds(apportion, tmp_path: Path) -> None:
    result = apportion("simulate", "--worlds", "--data", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    told = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert told == {name: world.description for name, world in WORLDS.items()}
    assert not list(tmp_path.iterdir())


def test_simulate_writes_a_landing_folder_and_the_truth_beside(apportion, tmp_path: Path) -> None:
    few = ("--users", 20, "--days", 14, "--seed", 3, "--world", "seasonal", "--start", "2026-02-01")
    result = apportion("simulate", *few, "--data", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert (tmp_path / "landing/events/2026-02-01.jsonl.gz").is_file()
    effects = json.loads((tmp_path / "truth/effects.json").read_text())
    assert "seasonal" in str(effects)
    elsewhere = apportion("simulate", *few, "--data", tmp_path, "--landing", tmp_path / "my/own")
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert (tmp_path / "my/truth/effects.json").is_file()


@pytest.mark.parametrize("wrong", [["--world", "nowhere"], ["--days", "3"], ["--start", "soon"]])
def test_what_cannot_be_simulated_is_wrong_usage(apportion, tmp_path: Path, wrong: list) -> None:
    result = apportion("simulate", "--users", 5, *wrong, "--data", tmp_path)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())
