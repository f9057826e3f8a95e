"""Kills a night at a chosen instant, and compares what a second attempt leaves.

A fault point is an instant before or after a commit to a DuckDB file, an fsync, a rename or the
setting of a link. A recording run names them all; a run with `kill_at` dies at one of them by
SIGKILL, in a process of its own. What "if not exists" makes is there on the second night, and is
no point. `make faults` runs this file: nights whose steps are killed after a random time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from apportion import lock, publish, runner, simulate, transform
from apportion.night import STEPS
from apportion.settings import Settings
from apportion.warehouse import connect, identifier

KILLED = -signal.SIGKILL
# The simulated shop: about 2,000 events of 20 days.
USERS, DAYS, SEED = 75, 20, 5

_FILE_CALLS = ("fsync", "rename", "replace", "symlink")
_WRITES = re.compile(
    r"\b(insert\s+into|update|delete\s+from|(create|alter|drop)\s[\w\s]*?(table|view|schema))\s"
    r"[\w\s]*?\"?(warehouse|raw|ops|ml|staging|intermediate|marts|seeds)\b",
    re.IGNORECASE,
)
# When something was done, by whom and how long it took: what differs between any two runs.
_OF_THE_RUN = {
    *("_loaded_at", "loaded_at", "first_loaded_at", "last_loaded_at", "quarantined_at"),
    *("fitted_at", "trained_at", "decided_at", "modified_ns", "seconds", "days_overdue"),
    *("run_id", "batch_id", "_batch_id", "content_key", "digest"),
}
_OF_THE_RUN_IN = {
    "_files": {"first_seen_at"},
    # It shows the last digits of sums.
    "data_docs": {"page"},
}
# Told of a run, one row per attempt; batches are told by run too.
_NOT_COMPARED = {"run_log", "quality_results", "source_freshness", "privacy_audit_log"}
_NOT_COMPARED |= {"built_stages", "built_clock", "_batches", "load_accounting", "load_timeliness"}


_invoke = transform.invoke


class Points:
    """Passes the fault points of this process, and dies at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        self.passed: list[str] = []

    def install(self) -> None:
        """Watch DuckDB and the calls on files, for the rest of this process."""
        opened = duckdb.connect

        def connected(database: str = ":memory:", read_only: bool = False, **options: Any) -> Any:
            connection = opened(database, read_only=read_only, **options)
            if read_only or str(database) == ":memory:":
                return connection
            return _Watched(connection, self)

        duckdb.connect = connected
        for name in _FILE_CALLS:
            setattr(os, name, self._around(name, getattr(os, name)))

    def pass_by(self, point: str) -> None:
        """Note a point, or die there."""
        if len(self.passed) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed.append(point)

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.pass_by(f"before {name}")
            result = call(*arguments, **options)
            self.pass_by(f"after {name}")
            return result

        return watched


class _Watched:
    """A connection that passes a point before and after whatever it commits."""

    def __init__(self, connection: Any, points: Points) -> None:
        self._connection = connection
        self._points = points
        self._is_open = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def cursor(self) -> _Watched:
        return _Watched(self._connection.cursor(), self._points)

    def begin(self) -> Any:
        return self.execute("begin")

    def commit(self) -> Any:
        return self.execute("commit")

    def execute(self, sql: Any, *arguments: Any) -> Any:
        return self._passing(sql, lambda: self._connection.execute(sql, *arguments))

    def executemany(self, sql: str, *arguments: Any) -> Any:
        return self._passing(sql, lambda: self._connection.executemany(sql, *arguments))

    def _passing(self, sql: Any, run: Callable[[], Any]) -> Any:
        text = str(sql).strip()
        word = text.split(maxsplit=1)[0].lower().rstrip(";") if text else ""
        if word in ("begin", "rollback"):
            self._is_open = word == "begin"
            return run()
        if word == "commit":
            self._is_open = False
        elif self._is_open or not _WRITES.search(text) or "if not exists" in text.lower():
            return run()
        what = " ".join(text.split())[:60]
        self._points.pass_by(f"before {what}")
        result = run()
        self._points.pass_by(f"after {what}")
        return result


def play(
    settings: Settings,
    begun: dt.datetime,
    steps: Sequence[str],
    kill_at: int | None = None,
    kill_after: float | None = None,
    largest_file: int | None = None,
) -> list[str] | None:
    """Run steps of one night as Airflow's tasks do, in a process of its own.

    Args:
        settings: where everything is.
        begun: when the run began, which names it: a task that is run again has the same.
        steps: their names.
        kill_at: number of the point at which it dies.
        kill_after: seconds after which it dies, wherever it is.
        largest_file: bytes beyond which no file can grow, as on a disk that is full.

    Returns:
        The points passed; None where it died.

    Raises:
        RuntimeError: a step failed.
    """
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (settings, begun, list(steps), kill_at, largest_file, sender)
    process = context.Process(target=_play, args=arguments)
    process.start()
    sender.close()
    if kill_after is not None and not receiver.poll(kill_after):
        process.kill()
    try:
        said = receiver.recv()
    except EOFError:
        said = None
    process.join()
    if process.exitcode == KILLED and (kill_at, kill_after) != (None, None):
        return None
    if not isinstance(said, list):
        raise RuntimeError(f"{steps} ended with {process.exitcode}: {said}")
    return said


def _play(
    settings: Settings,
    begun: dt.datetime,
    steps: list[str],
    kill_at: int | None,
    largest_file: int | None,
    sender: Any,
) -> None:
    if largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # The write itself then says it.
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    points = Points(kill_at)
    points.install()
    if kill_at is not None:
        transform.invoke = _without_tests
    params = {"date": None, "full_refresh": False, "run_id": None}
    params |= {"data": str(settings.data), "landing": str(settings.landing)}
    try:
        for step in STEPS:
            if step.name in steps:
                runner.run_task(step, params, begun)
        sender.send(points.passed)
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")


def _without_tests(settings: Settings, arguments: Sequence[str], *, quiet: bool) -> Any:
    """`transform.invoke` of a build that is to die: tests write nothing and take most of it."""
    left_out = ["--exclude-resource-type", "test", "unit_test"] if arguments[0] == "build" else []
    return _invoke(settings, [*arguments, *left_out], quiet=quiet)


def preload() -> None:
    """Import once what every killed process would import; to be called before the first `play`."""
    folders = [str(Path(__file__).parent), str(Path(runner.__file__).parents[1])]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    multiprocessing.get_context("forkserver").set_forkserver_preload(["faults_preload"])


def content(
    file: Path, schemas: Sequence[str], *, without: Sequence[str] = ()
) -> dict[str, list[tuple]]:
    """The rows of every table in one order, but for what differs between any two runs."""
    tables = {}
    with connect(file, read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where list_contains(?::varchar[], table_schema) and table_type = 'BASE TABLE'",
            [list(schemas)],
        ).fetchall()
        for schema, name in names:
            if name in _NOT_COMPARED or name in without or _of_a_night(name):
                continue
            relation = f"{schema}.{identifier(name)}"
            left_out = _OF_THE_RUN | _OF_THE_RUN_IN.get(name, set())
            columns = [
                (identifier(row[0]), row[1])
                for row in connection.execute(f"describe {relation}").fetchall()
                if row[0] not in left_out
            ]
            exact = [column for column, kind in columns if kind != "DOUBLE"]
            doubles = [column for column, kind in columns if kind == "DOUBLE"]
            tables[f"{schema}.{name}"] = connection.execute(
                f"select row({', '.join(exact or ['null'])}), row({', '.join(doubles or ['null'])})"
                f" from {relation} order by all"
            ).fetchall()
    return tables


def _of_a_night(table: str) -> bool:
    """Whether it lists what one night had to take in."""
    return "int_nights__" in table or "__affected_" in table


def differences(actual: dict[str, list[tuple]], expected: dict[str, list[tuple]]) -> list[str]:
    """What differs: all exactly, doubles beyond 1e-9 (a parallel sum has no fixed order)."""
    found = [f"{name} is in one only" for name in sorted(actual.keys() ^ expected.keys())]
    for name in sorted(actual.keys() & expected.keys()):
        ours, theirs = actual[name], expected[name]
        if len(ours) != len(theirs):
            found.append(f"{name}: {len(ours)} rows, not {len(theirs)}")
        for left, right in zip(ours, theirs, strict=False):
            if left[0] != right[0] or not all(map(_close, left[1], right[1])):
                found.append(f"{name}: {left} but undisturbed {right}")
                break
    return found


def _close(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    return left == right or math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)


def published_whole(settings: Settings) -> str | None:
    """The run whose version is published, after a look that every table has all its rows."""
    if not settings.published.exists():
        return None
    manifest = json.loads((settings.published / publish.MANIFEST).read_text())
    with connect(settings.published / publish.DATABASE, read_only=True) as connection:
        for table, facts in manifest["tables"].items():
            rows = connection.execute(f"select count(*) from marts.{identifier(table)}").fetchone()
            assert rows == (facts["rows"],), f"{table} is torn: {rows}, not {facts}"
    return manifest["run_id"]


def copy(source: Path, target: Path) -> None:
    """Make a data folder equal to a saved one; links stay links."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def simulated(folder: Path, *last_days: str) -> tuple[Settings, list[Path]]:
    """Simulate the shop; its last days lie aside, to land for later nights.

    Args:
        folder: where to.
        *last_days: of a later night each, the day of January 2026 from which its files are.

    Returns:
        The installation, and the folder of what lands for each later night.
    """
    settings = Settings(folder / "data", folder / "landing")
    simulate.simulate(settings.landing, users=USERS, days=DAYS, seed=SEED)
    laters = [folder / f"from {day}" for day in last_days]
    for path in sorted(settings.landing.rglob("*.*")):
        for day, later in reversed([*zip(last_days, laters, strict=True)]):
            if f"2026-01-{day}" <= path.name < "2026-02":
                target = later / path.relative_to(settings.landing)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
                break
    return settings, laters


def main() -> None:
    """Kill the steps of four nights after random times, and compare what each night leaves.

    An instant is drawn from a whole undisturbed night, so that a step is killed as often as it is
    long, and begins the next time with what the kill left. One kill in ten is of `apportion run`,
    the process of an operator, from its very start.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=200, help="processes to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the instants")
    parser.add_argument("--folder", type=Path, default=Path("data/faults"))
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # People are named after salted hashes: two installations agree where they share the salt.
    os.environ["APPORTION_PII_SALT"] = "faults"
    preload()
    settings, laters = simulated(folder, "17", "18", "19")
    undisturbed = Settings(folder / "undisturbed", settings.landing)
    dice = random.Random(options.seed)
    killed: dict[str, int] = {}
    began = time.monotonic()
    for number, later in enumerate([None, *laters], 1):
        if later:
            shutil.copytree(later, settings.landing, dirs_exist_ok=True)
        at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        seconds = {}
        for step in STEPS:
            started = time.monotonic()
            play(undisturbed, at, [step.name])
            seconds[step.name] = time.monotonic() - started
        share = options.count * number // 4 - options.count * (number - 1) // 4
        runs = share // 10
        for _ in range(runs):
            _kill_run(settings, dice.uniform(0, sum(seconds.values())), killed)
        instants = sorted(dice.uniform(0, sum(seconds.values())) for _ in range(share - runs))
        at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        begins = 0.0
        for name, length in seconds.items():
            for instant in instants:
                if begins <= instant < begins + length:
                    _kill_step(settings, at, name, instant - begins, killed)
            begins += length
            play(settings, at, [name])
        _compare(settings, undisturbed)
        minutes = (time.monotonic() - began) / 60
        done = sum(killed.values())
        print(
            f"night {number} of 4: equal after {done} kills, {minutes:.0f} min; "
            f"about {minutes * (4 - number) / number:.0f} min to go",
            flush=True,
        )
    print(f"killed: {killed}; 0 differences")


def _kill_step(
    settings: Settings, at: dt.datetime, name: str, seconds: float, killed: dict[str, int]
) -> None:
    """Kill a step after a time; after ever less, where it ends before it."""
    while play(settings, at, [name], kill_after=seconds) is not None:
        seconds /= 2
    _look(settings)
    killed[name] = killed.get(name, 0) + 1


def _kill_run(settings: Settings, seconds: float, killed: dict[str, int]) -> None:
    """Kill `apportion run` after a time; after ever less, where it ends before it."""
    command = [sys.executable, "-m", "apportion.cli", "run"]
    command += ["--landing", str(settings.landing), "--data", str(settings.data)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        _look(settings)
        killed["run"] = killed.get("run", 0) + 1
    else:
        assert process.returncode == 0, said.decode()
        _kill_run(settings, seconds / 2, killed)


def _look(settings: Settings) -> None:
    """The dead hold no lock, and what people read is whole."""
    assert lock.holder(settings) is None, "the dead hold the lock"
    published_whole(settings)


def _compare(settings: Settings, undisturbed: Settings) -> None:
    schemas = ("raw", "intermediate", "marts")
    found = differences(
        content(settings.warehouse, schemas, without=NAMED_BY_NIGHTS + RATIOS_OF_FITS),
        content(undisturbed.warehouse, schemas, without=NAMED_BY_NIGHTS + RATIOS_OF_FITS),
    )
    assert not found, "\n".join(found)


# Speaks of identifiers by numbers, which depend on the nights that they were given in, or of what
# one night did.
NAMED_BY_NIGHTS = (
    *("int_events__changed", "int_identity__changed", "identity_merges"),
    *(
        f"int_identity__{name}"
        for name in (
            *("nodes", "evidence", "edges", "guarded", "known_components", "shared_devices"),
            *("unlinked", "links", "components", "vetoes", "cut", "device_owners"),
        )
    ),
)


# Ratios to credit that may be 0 but for the rounding of a fit: two installations that fitted on
# their own differ by that. The tables of credit are compared.
RATIOS_OF_FITS = (
    "attribution_model_comparison",
    "attribution_roi",
    "attribution_budget_reallocation",
)


if __name__ == "__main__":
    main()
