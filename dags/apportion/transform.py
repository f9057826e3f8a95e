"""Runs dbt in this process, with the paths and vars of the night."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from apportion import built, custom_weights, lock
from apportion.errors import ApportionError, GateFailed, UsageError
from apportion.settings import PROJECT, Settings

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

    from apportion.night import Night

# With these dbt takes none of our options.
_TAKES_NO_OPTIONS = {"--help", "-h", "--version", "-v"}
# Commands after which the tables may hold anything.
_WRITES = {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot"}
# Commands that leave the warehouse alone.
_OPENS_NOTHING = {"clean", "deps", "init", "list", "ls", "parse"}


def build(night: Night, stage: str) -> str:
    """Build one stage of the project: seeds, models and their data tests, in one dbt build.

    A stage whose code, data, clock and settings are those it was built from is left as it is.
    Unit tests are left to `make test`: they read fixtures, which no night changes.

    Args:
        night: the run.
        stage: name of a selector in selectors.yml.

    Raises:
        GateFailed: every model was built, but a data test says no.
        ApportionError: a model, or the project itself, does not build.
    """
    if stage == "staging":
        custom_weights.check()
    built_from = built.digest(night, stage)
    if not night.full_refresh and (run := built.run_of(night.settings, stage, built_from)):
        return f"nothing is new since {run}: left as it is"
    everything = "asked for" if night.full_refresh else built.must_rebuild(night, stage)
    built.begin(night, stage, everything=everything is not None)
    arguments = ["build", "--selector", stage]
    for kind in ("unit_test", "exposure"):
        arguments += ["--exclude-resource-type", kind]
    if everything:
        arguments.append("--full-refresh")
    result = invoke(night.settings, arguments, quiet=True)
    if not result.success:
        raise _failure(night.settings, stage, result)
    built.remember(night, stage, built_from)
    counts: dict[str, int] = {}
    for node in result.result.results:
        kind = node.node.resource_type.value
        counts[kind] = counts.get(kind, 0) + 1
    warned = [node.node.name for node in result.result.results if node.status == "warn"]
    said = ", ".join(f"{count} {kind}s" for kind, count in sorted(counts.items()))
    said += f"; everything: {everything}" if everything else "; what changed"
    return said + (f"; warnings: {', '.join(warned)}" if warned else "")


def invoke(settings: Settings, arguments: Sequence[str], *, quiet: bool) -> dbtRunnerResult:
    """Run one dbt command in this process and let go of the warehouse afterwards.

    Args:
        settings: paths, and the vars of the input.
        arguments: as after `dbt` on the command line.
        quiet: nothing on the terminal; the log is in `<data>/logs/dbt`.
    """
    with _environment(settings):
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        try:
            return dbtRunner().invoke(command(settings, arguments, quiet=quiet))
        finally:
            DuckDBConnectionManager.close_all_connections()


def passed_through(settings: Settings, arguments: Sequence[str]) -> int:
    """Run a dbt command as typed, for `apportion dbt`.

    Commands that open the warehouse hold the lock of the installation for as long as they run.

    Returns:
        The exit status: 0 done, 1 failed, 2 wrong usage, 3 only data tests said no.
    """
    opens = not (set(arguments) & (_TAKES_NO_OPTIONS | _OPENS_NOTHING)) and bool(arguments)
    run_id = f"dbt-{os.getpid()}"
    with lock.hold(settings, run_id) if opens else nullcontext():
        if _WRITES & set(arguments):
            built.forget(settings)
        result = invoke(settings, arguments or ["--help"], quiet=False)
    if result.success:
        return 0
    if type(result.exception).__name__ == "DbtUsageException":
        return UsageError.exit_status
    statuses = {node.status for node in getattr(result.result, "results", None) or ()}
    says_no = "fail" in statuses and "error" not in statuses
    return GateFailed.exit_status if says_no else ApportionError.exit_status


def command(settings: Settings, arguments: Sequence[str], *, quiet: bool = False) -> list[str]:
    """The arguments of dbt with the paths of the installation and the vars of its input."""
    if not arguments or _TAKES_NO_OPTIONS & set(arguments):
        return list(arguments)
    options = [
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(settings.target), "--log-path", str(settings.logs / "dbt")),
    ]
    if quiet:
        options += ["--quiet", "--log-level", "none", "--log-level-file", "info"]
    values = settings.input_vars()
    if values and "--vars" not in arguments:
        options += ["--vars", json.dumps(values)]
    return [*arguments, *options]


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """The environment that profiles.yml reads, without telemetry; put back afterwards."""
    wanted = {
        "APPORTION_DATA": str(settings.data),
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _failure(settings: Settings, stage: str, result: dbtRunnerResult) -> ApportionError:
    """Say which nodes failed, why, where their SQL is, and how to build the first one alone."""
    again = f"apportion dbt --data {settings.data}"
    nodes = list(getattr(result.result, "results", None) or ())
    errors = [node for node in nodes if node.status == "error"]
    fails = [node for node in nodes if node.status == "fail"]
    if not errors and not fails:
        error = result.exception
        kind = UsageError if type(error).__name__ == "DbtUsageException" else ApportionError
        return kind(f"dbt cannot build {stage}: {error}", f"{again} parse")
    lines = [f"dbt build of {stage}: {len(errors)} errors, {len(fails)} tests say no"]
    for node in (errors + fails)[:5]:
        message = " ".join((node.message or "no message").split())
        lines.append(f"{node.node.resource_type.value} {node.node.name}: {message[:600]}")
        if compiled := getattr(node.node, "compiled_path", None):
            lines.append(f"  compiled: {compiled}")
    if len(errors + fails) > 5:
        lines.append(f"and {len(errors + fails) - 5} more, in {settings.logs / 'dbt' / 'dbt.log'}")
    first = (errors + fails)[0].node.name
    return (ApportionError if errors else GateFailed)(
        "\n".join(lines), f"{again} build --select {first}"
    )
