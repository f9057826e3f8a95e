"""Runs the DAG through Airflow: one night without a scheduler, or the scheduled installation."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from apportion import lock, runner
from apportion.errors import ApportionError, UsageError
from apportion.night import STEPS, Night
from apportion.progress import Progress
from apportion.settings import PROJECT, Settings

ADDRESS = "127.0.0.1"
POOL = "warehouse_writer"
# Tasks at once, of all DAGs; each idle worker costs memory, and one of them at a time writes.
PARALLELISM = 4
# seconds
_LOOK_EVERY = 0.2
_GRACE = 15
_HEALTHY_WITHIN = 180


def environment(settings: Settings, home: Path) -> dict[str, str]:
    """The environment of every Airflow process: all in `<data>`, local only, no telemetry.

    Args:
        settings: where everything is.
        home: AIRFLOW_HOME. Single nights and the scheduled installation have one each: a scheduler
            would take the tasks of a night that `airflow dags test` runs for its own.
    """
    return os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.logs / "airflow"),
        "APPORTION_DATA": str(settings.data),
        "APPORTION_LANDING": str(settings.landing),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "SCARF_ANALYTICS": "false",
    }


def prepare(settings: Settings, home: Path) -> None:
    """Make Airflow's SQLite database where it is missing or of another version.

    Raises:
        ApportionError: Airflow cannot make it.
    """
    version = importlib.metadata.version("apache-airflow")
    stamp = home / "database-version"
    if stamp.is_file() and stamp.read_text() == version:
        return
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # Airflow keeps its password and its keys there.
    _airflow(settings, home, "db", "migrate")
    stamp.write_text(version)


def run(night: Night, progress: Progress) -> None:
    """Run one night with `airflow dags test`, all tasks one after another in one process.

    Airflow's own output goes to `<data>/logs/<run_id>.airflow.log`; what is shown comes from the
    night's log, which the tasks write.

    Raises:
        ApportionError: the first failure, with the exit status that it has without Airflow.
    """
    runner.check(night)
    settings = night.settings
    home = settings.data / "airflow" / "single"
    settings.logs.mkdir(parents=True, exist_ok=True)
    output = settings.logs / f"{night.run_id}.airflow.log"
    conf = {
        "landing": str(settings.landing),
        "data": str(settings.data),
        "date": night.date.isoformat() if night.date else None,
        "full_refresh": night.full_refresh,
        "run_id": night.run_id,
    }
    with lock.hold(settings, night.run_id) as descriptor, output.open("wb") as file:
        progress.say(f"Airflow is starting; its own output: {output}")
        prepare(settings, home)
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "dags", "test", "nightly", "-c", json.dumps(conf)],
            env=environment(settings, home) | {"APPORTION_RETRIES": "0"},
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=() if descriptor is None else (descriptor,),
            process_group=0,
        )
        with _stopped_at_the_end(process):
            shown = 0
            ended = False
            while not ended:
                ended = process.poll() is not None
                events = runner.events(night)
                for event in events[shown:]:
                    _show(event, progress)
                shown = len(events)
                if not ended:
                    time.sleep(_LOOK_EVERY)
    if failure := runner.failure(night):
        raise failure
    done = sum(event["event"] == "done" for event in events)
    if process.returncode or done < len(STEPS):
        raise ApportionError(
            f"Airflow ended with status {process.returncode} after {done} of {len(STEPS)} tasks",
            f"read the end of {output}",
        )


def serve(settings: Settings, port: int, progress: Progress) -> None:
    """Run Airflow with its DAGs scheduled, until Ctrl-C; nothing listens beyond this machine.

    Raises:
        UsageError: the port is taken.
        ApportionError: a part of Airflow died, or did not become healthy.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise UsageError(
                f"port {port} on {ADDRESS} is taken: {error}", "make airflow PORT=8081"
            ) from error
    progress.say(f"Airflow is starting; the output of its parts: {settings.logs / 'airflow'}")
    home = settings.data / "airflow" / "scheduled"
    prepare(settings, home)
    _airflow(settings, home, "pools", "set", POOL, "1", "The one task that writes the warehouse")
    (settings.logs / "airflow").mkdir(parents=True, exist_ok=True)
    url = f"http://{ADDRESS}:{port}"
    settled = {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
    }
    parts = {
        "api-server": ["--host", ADDRESS, "--port", str(port), "--workers", "1"],
        "dag-processor": [],
        "scheduler": ["--skip-serve-logs"],
        "triggerer": ["--skip-serve-logs"],
    }
    processes: dict[str, subprocess.Popen[bytes]] = {}
    for name, options in parts.items():
        group = next(iter(processes.values())).pid if processes else 0
        with (settings.logs / "airflow" / f"{name}.log").open("ab") as file:
            processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", name, *options],
                env=environment(settings, home) | settled,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=group,
            )
    with suppress(KeyboardInterrupt), _stopped_at_the_end(*processes.values()):
        _wait_until_healthy(f"{url}/api/v2/monitor/health", processes, settings)
        passwords = home / "simple_auth_manager_passwords.json.generated"
        progress.say(f"Airflow is at {url}")
        progress.say(f"log in as admin; the password is in {passwords}")
        progress.say("Ctrl-C stops it")
        while True:
            _raise_if_dead(processes, settings)
            time.sleep(1)
    progress.say("Airflow is stopped")


def _airflow(settings: Settings, home: Path, *arguments: str) -> None:
    """Run one command of Airflow to its end, silently."""
    result = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment(settings, home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        last = "\n".join(result.stdout.splitlines()[-10:])
        raise ApportionError(
            f"airflow {' '.join(arguments[:2])} ended with status {result.returncode}:\n{last}",
            f"remove {home} (it holds the history of runs only) and try again",
        )


@contextmanager
def _stopped_at_the_end(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop these processes, of one group, and all that they started, however the block ends."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        group = processes[0].pid
        for kind in (signal.SIGTERM, signal.SIGKILL):
            if not _alive(processes, group):
                break
            os.killpg(group, kind)
            deadline = time.monotonic() + _GRACE
            while _alive(processes, group) and time.monotonic() < deadline:
                time.sleep(0.1)


def _alive(processes: tuple[subprocess.Popen[bytes], ...], group: int) -> bool:
    """Is anything left of a process group, once the processes that ended are collected?"""
    for process in processes:
        process.poll()
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_healthy(
    url: str, processes: dict[str, subprocess.Popen[bytes]], settings: Settings
) -> None:
    deadline = time.monotonic() + _HEALTHY_WITHIN
    while time.monotonic() < deadline:
        _raise_if_dead(processes, settings)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                states = json.load(answer)
        except (OSError, ValueError):
            states = {}
        parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        if all((states.get(part) or {}).get("status") == "healthy" for part in parts):
            return
        time.sleep(1)
    raise ApportionError(
        f"Airflow was not healthy within {_HEALTHY_WITHIN} s",
        f"read {settings.logs / 'airflow'}/*.log",
    )


def _raise_if_dead(processes: dict[str, subprocess.Popen[bytes]], settings: Settings) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise ApportionError(
                f"the {name} of Airflow ended with status {process.returncode}",
                f"read the end of {settings.logs / 'airflow' / name}.log",
            )


def _show(event: dict[str, str], progress: Progress) -> None:
    if event["event"] == "started":
        progress.started(event["step"])
    elif event["event"] == "done":
        progress.done(event["step"], float(event["seconds"]), event["said"])
    else:
        progress.failed(event["step"], float(event["seconds"]))
