"""Looks whether everything is there that a night needs, and says for each thing how to mend it."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.markup import escape

from apportion import last_good, load, lock, publish, warehouse
from apportion.errors import ApportionError, WarehouseBusy
from apportion.progress import output
from apportion.settings import PRIVATE, PROJECT, Settings

OK, WARN, FAIL = "ok", "warn", "FAIL"
PYTHONS = ((3, 11), (3, 13))
# A clock that is further back than this is not set; the first commit is later.
EARLIEST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# seconds by which clocks of two file systems may differ
CLOCK_TOLERANCE = 300
STRANGERS_SHOWN = 3

_STYLES = {OK: "green", WARN: "yellow", FAIL: "red"}
_MAKE_ANEW = "rm .venv/complete; make environment"
# Parses each DAG file in a process of its own, with an Airflow home that is thrown away.
_PARSE = """
import importlib.util, json, pathlib, sys
import airflow
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    try:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.name] = None
    except Exception as error:
        found[path.name] = f"{type(error).__name__}: {error}"
print(json.dumps([airflow.__version__, found]))
"""


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        name: of what was looked at.
        level: ok, warn (a night runs) or FAIL (it does not, or not rightly).
        told: what was seen.
        mend: the next command or action; empty where nothing is to be done.
    """

    name: str
    level: str
    told: str
    mend: str = ""


def show(settings: Settings) -> bool:
    """Print one line per look, with how to mend it; says whether nothing failed."""
    console = output()
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        level = f"[{_STYLES[finding.level]}]{finding.level:<4}[/]"
        mend = f" [bold]next:[/] {escape(finding.mend)}" if finding.mend else ""
        console.print(f"{level} {finding.name:<12} {escape(finding.told)}{mend}", soft_wrap=True)
    return all(finding.level != FAIL for finding in findings)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one after another; a look that goes wrong is a finding too."""
    for name, look in LOOKS.items():
        try:
            level, told, *mend = look(settings)
        except ApportionError as error:
            level, told, mend = FAIL, error.what, [error.next_step]
        except Exception as error:
            level, told, mend = FAIL, f"{type(error).__name__}: {error}", ["mend it by hand"]
        yield Finding(name, level, told, *mend)


def python(settings: Settings) -> tuple[str, ...]:
    """The interpreter is one that the packages are there for."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return FAIL, f"{version} is not 3.11 to 3.13", "make environment PYTHON=python3.13"
    return OK, version


def packages(settings: Settings) -> tuple[str, ...]:
    """Each package of requirements.txt is installed in exactly its version."""
    from packaging.requirements import Requirement

    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [
        Requirement(line.rstrip(" \\")) for line in lines if line[:1] not in ("", " ", "#", "-")
    ]
    wanted = {
        requirement.name: next(iter(requirement.specifier)).version
        for requirement in pinned
        if requirement.marker is None or requirement.marker.evaluate()
    }
    differing = []
    for name, version in wanted.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            differing.append(f"{name} is {installed}, not {version}")
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        return FAIL, "; ".join(differing[:3]) + more, _MAKE_ANEW
    return OK, f"{len(wanted)} packages as in requirements.txt"


def writable(settings: Settings) -> tuple[str, ...]:
    """A file can be written, made durable and renamed in the data folder, and others keep out."""
    folder = settings.data
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"written by apportion doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return FAIL, f"{folder} cannot be written: {error}", f"mend the rights of {folder}"
    if settings.data.exists() and (open_to_others := _open_to_others(settings)):
        return WARN, f"others can read {open_to_others}", f"chmod -R go= {settings.data}"
    return OK, str(settings.data) + ("" if settings.data.exists() else " (made by the first night)")


def _open_to_others(settings: Settings) -> str:
    """The first of what holds personal data that others could read; a closed folder closes all."""
    if not settings.data.stat().st_mode & PRIVATE:
        return ""
    for path in (settings.warehouse, last_good.path(settings), settings.logs):
        if path.exists() and path.stat().st_mode & PRIVATE:
            return str(path)
    return ""


def disk(settings: Settings) -> tuple[str, ...]:
    """Room for what a night writes: the warehouse grows, a version and a good copy come beside."""
    folder = settings.data
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    size = settings.warehouse.stat().st_size if settings.warehouse.exists() else 2**28
    told = f"{free / 1e9:,.1f} GB are free, the warehouse has {size / 1e9:,.1f} GB"
    mend = f"make room on the disk of {settings.data}"
    if free < 2 * size:
        return FAIL, f"{told}: a night needs twice that", mend
    if free < 4 * size:
        return WARN, f"{told}: a full refresh needs up to four times that", mend
    return OK, told


def clock(settings: Settings) -> tuple[str, ...]:
    """The clock is not behind what was already done by it."""
    now = dt.datetime.now(dt.UTC)
    told, mend = f"{now:%Y-%m-%d %H:%M} UTC", "set the clock of this machine"
    if now < EARLIEST:
        return FAIL, f"{told}: the clock is not set", mend
    done = [path for path in (settings.warehouse, settings.published) if path.exists()]
    latest = max((path.stat().st_mtime for path in done), default=0.0)
    if latest > now.timestamp() + CLOCK_TOLERANCE:
        then = dt.datetime.fromtimestamp(latest, dt.UTC)
        return WARN, f"{told}, but the last night was at {then:%Y-%m-%d %H:%M}", mend
    return OK, told


def salt(settings: Settings) -> tuple[str, ...]:
    """Nobody else can read the key of the identifier hashes."""
    if os.environ.get("APPORTION_PII_SALT"):
        return OK, "from APPORTION_PII_SALT"
    path = settings.data / "pii_salt"
    if not path.exists():
        if settings.warehouse.exists():
            return (
                FAIL,
                f"{path} is gone: the next night would make a new one, and all hashes change",
                f"put {path} back from a backup, or set APPORTION_PII_SALT",
            )
        return OK, "made by the first night"
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & PRIVATE:
        return FAIL, f"{path} has mode {mode:o}: others can read it", f"chmod 600 {path}"
    if not path.read_text().strip():
        return FAIL, f"{path} is empty", f"put {path} back from a backup"
    return OK, f"{path} (mode {mode:o})"


def landing(settings: Settings) -> tuple[str, ...]:
    """The landing folder is there and holds data sets that are known."""
    folder = settings.landing
    if not folder.is_dir():
        return WARN, f"{folder} does not exist", f"mkdir -p {folder}/events, or give --landing"
    settings.input_vars()
    files, strangers = load.landed(folder)
    names = sorted({dataset.name for dataset, _ in files})
    told = f"{folder}: {len(files):,} files of {', '.join(names) or 'no data set'}"
    if not files:
        return WARN, told, f"put files at {folder}/<dataset>/, see docs/input.md"
    for _, path in files:
        if not os.access(path, os.R_OK):
            return FAIL, f"{path} cannot be read", f"chmod u+r {path}"
    if strangers:
        shown = ", ".join(strangers[:STRANGERS_SHOWN])
        return WARN, f"{told}; not known: {shown}", "rename them, see docs/input.md"
    return OK, told


def database(settings: Settings) -> tuple[str, ...]:
    """The warehouse opens, by somebody who is alone with it."""
    if not settings.warehouse.exists():
        return OK, "not there yet: the first night makes it"
    if holder := lock.holder(settings):
        return WARN, f"not looked at: {holder} is running", "apportion status"
    try:
        with warehouse.connect(settings.warehouse, read_only=True, sealed=True) as connection:
            version = connection.execute(
                "select tags['storage_version'] from duckdb_databases()"
                " where database_name = current_database()"
            ).fetchone()[0]
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() where schema_name in"
                " ('raw', 'ops', 'ml')"
            ).fetchall()
            for schema, table in tables:
                # Every value is read: a damaged block is told by its checksum.
                relation = f"{schema}.{warehouse.identifier(table)}"
                connection.execute(f"select sum(hash(rows)) from {relation} as rows").fetchone()
    except WarehouseBusy as error:
        return WARN, f"not looked at: {error.what}", error.next_step
    return OK, f"{settings.warehouse}: storage {version}, {len(tables)} tables of raw, ops, ml read"


def copy(settings: Settings) -> tuple[str, ...]:
    """There is something to go back to when the warehouse is damaged."""
    path = last_good.path(settings)
    if not settings.warehouse.exists() or not settings.published.exists():
        return OK, "made when a night is published"
    if not path.exists():
        return WARN, "there is no last good copy of the warehouse", "apportion run makes one"
    at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    return OK, f"{path} of {at:%Y-%m-%d %H:%M} UTC"


def published(settings: Settings) -> tuple[str, ...]:
    """What people read is complete."""
    if not settings.published.is_symlink():
        return OK, "nothing yet"
    if not settings.published.exists():
        return (
            FAIL,
            f"{settings.published} points to nothing",
            "apportion rollback, or apportion run",
        )
    try:
        publish.check_version(settings.published.resolve())
    except (ApportionError, OSError, ValueError, KeyError) as error:
        return FAIL, f"{settings.published} is damaged: {error}", "apportion rollback"
    version, kept = publish.current_version(settings), publish.list_versions(settings)
    return OK, f"{version}, complete; {len(kept)} versions kept"


def airflow(settings: Settings) -> tuple[str, ...]:
    """Airflow can be imported and parses the DAGs."""
    with tempfile.TemporaryDirectory(prefix="apportion-doctor-") as home:
        result = subprocess.run(
            [sys.executable, "-c", _PARSE, str(PROJECT / "dags")],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ
            | {
                "AIRFLOW_HOME": home,
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "PYTHONPATH": str(PROJECT / "dags"),
            },
        )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        return FAIL, f"Airflow cannot be imported: {last}", _MAKE_ANEW
    version, dags = json.loads(result.stdout.splitlines()[-1])
    broken = [f"{name}: {error}" for name, error in dags.items() if error]
    if broken:
        return FAIL, "; ".join(broken), f"git diff {PROJECT / 'dags'}"
    return OK, f"{version}; {len(dags)} DAG files parse"


LOOKS: dict[str, Callable[[Settings], tuple[str, ...]]] = {
    "python": python,
    "packages": packages,
    "data folder": writable,
    "disk": disk,
    "clock": clock,
    "salt": salt,
    "landing": landing,
    "warehouse": database,
    "last good": copy,
    "published": published,
    "airflow": airflow,
}
"""What is looked at, in order: level, what was seen, and how to mend it."""
