"""What must not be reached, read or told: files of others, logs, ports, pickles."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import duckdb
import pytest
from small_world import PEOPLE, _contacts

from apportion import scheduler, warehouse
from apportion.progress import Progress
from apportion.settings import Settings


def test_who_only_looks_reaches_no_other_file(tmp_path: Path) -> None:
    file, other = tmp_path / "a.duckdb", tmp_path / "secret.csv"
    other.write_text("secret\n1\n")
    with warehouse.connect(file) as connection:
        connection.execute("create table numbers as select 1 as number")
    with warehouse.connect(file, read_only=True, sealed=True) as connection:
        assert connection.execute("select number from numbers").fetchone() == (1,)
        for statement in (
            f"select * from '{other}'",
            f"attach '{tmp_path / 'b.duckdb'}'",
            f"copy numbers to '{tmp_path / 'stolen.csv'}'",
        ):
            with pytest.raises(duckdb.PermissionException):
                connection.execute(statement)
        with pytest.raises(duckdb.Error):
            connection.execute("set enable_external_access = true")
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            connection.execute("set threads = 1")
    assert not (tmp_path / "stolen.csv").exists()
    with warehouse.connect(file) as connection:  # Who builds may.
        assert connection.execute(f"select * from '{other}'").fetchone() == (1,)


def test_a_night_leaves_nothing_that_others_can_read(small_night: Settings) -> None:
    private = [path for path in small_night.data.iterdir() if not path.is_symlink()]
    assert {"warehouse.duckdb", "pii_salt", "logs", "versions", "last_good", "target"} <= {
        path.name for path in private
    }
    for path in [small_night.data, *private]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_the_logs_of_a_night_tell_of_nobody(small_night: Settings) -> None:
    salt = (small_night.data / "pii_salt").read_text().strip()
    people = [str(row["phone"]) for row in _contacts()]
    people += [re.sub(r"\D", "", phone) for phone in people]
    people += [f"person{number}@example.com" for number in range(1, PEOPLE + 1)]
    logs = [path for path in small_night.logs.rglob("*") if path.is_file()]
    assert {path.suffix for path in logs} == {".log"} and len(logs) >= 2
    for path in logs:
        text = path.read_text(encoding="utf-8").lower()
        assert len(text) > 1000
        assert salt not in text
        assert not re.search(r"[\w.+-]+@[\w-]+\.\w+", text), path
        assert [person for person in people if person in text] == [], path


def test_airflow_listens_on_this_machine_alone_without_examples_or_pickles(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, list[str]] = {}

    class Started(RuntimeError):
        pass

    def popen(command: list[str], **options: object) -> None:
        started[command[3]] = command[4:]
        environment = options["env"]
        assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
        assert not [name for name in environment if "PICKL" in name.upper()]
        raise Started

    monkeypatch.setattr(scheduler, "prepare", lambda *arguments: None)
    monkeypatch.setattr(scheduler, "_airflow", lambda *arguments: None)
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(Started):
        scheduler.serve(settings, 18080, Progress(0))
    assert started["api-server"][:2] == ["--host", "127.0.0.1"]


def test_what_tasks_hand_on_is_a_line_of_text() -> None:
    from apportion import night

    for step in (*night.STEPS, *night.PRIVACY_STEPS):
        module = __import__(f"apportion.{step.module}", fromlist=[step.function])
        assert getattr(module, step.function).__annotations__["return"] == "str", step.name
