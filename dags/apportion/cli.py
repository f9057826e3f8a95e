"""The command line: the same work as the DAG, for people at a terminal."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apportion.errors import ApportionError, UsageError
from apportion.settings import PRIVATE, Settings

if TYPE_CHECKING:
    from apportion.progress import Progress

app = typer.Typer(
    name="apportion",
    help="A personalization-attribution warehouse on DuckDB, dbt, Great Expectations and Airflow.",
    epilog="Exit status: 0 done, 1 failed, 2 usage, 3 a gate said no, 4 the warehouse is busy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

quarantined = typer.Typer(
    help="The rows that could not be loaded: which, why, and again after the cause was mended.",
    no_args_is_help=True,
)
app.add_typer(quarantined, name="quarantine")

Data = Annotated[
    Path | None,
    typer.Option(help="Folder of everything that is made (default: APPORTION_DATA, else data/)."),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show tracebacks.")]


@app.command()
def run(
    landing: Annotated[
        Path | None,
        typer.Option(help="Input folder (default: APPORTION_LANDING, else <data>/landing)."),
    ] = None,
    data: Data = None,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day to judge as of (default: the data's last)."),
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild every model from raw.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option(help="Prepare this bundled input in <data>/landing first.")
    ] = None,
    airflow: Annotated[
        bool, typer.Option("--airflow", help="Run the DAG with `airflow dags test`.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Run one night: load, build, judge, publish."""
    from apportion import lock, runner, scheduler, summary
    from apportion.night import STEPS, Night
    from apportion.progress import Progress

    began = time.monotonic()
    if dataset and landing:
        raise UsageError("--dataset prepares its own landing folder", "leave --landing out")
    settings = Settings.resolve(data, landing)
    if dataset:
        settings = Settings(settings.data, settings.data / "landing")
    night = Night(settings, date=date.date() if date else None, full_refresh=full_refresh)
    if not dataset:
        runner.check(night)
    with lock.hold(settings, night.run_id):
        with Progress(len(STEPS)) as progress:
            if dataset:
                _prepare(dataset, settings, progress)
            (scheduler if airflow else runner).run(night, progress)
        summary.show(night, time.monotonic() - began)


@app.command()
def train(data: Data = None, verbose: Verbose = False) -> None:
    """Fit and learn anew, from what the last night left: thresholds, weights, clusters, models."""
    from apportion import lock, runner
    from apportion.night import TRAINING, Night

    night = Night(Settings.resolve(data))
    if not night.settings.warehouse.exists():
        raise UsageError(f"there is no warehouse in {night.settings.data}", "apportion run")
    with lock.hold(night.settings, night.run_id):
        for step in TRAINING:
            for line in runner.run_step(night, step).split("; "):
                typer.echo(line)


@app.command()
def status(data: Data = None, verbose: Verbose = False) -> None:
    """Show the last nights, step by step, what is published, and who holds the warehouse."""
    from apportion import status as module

    module.show(Settings.resolve(data))


@app.command()
def explain(conversion_id: str, data: Data = None, verbose: Verbose = False) -> None:
    """Show one conversion's journey, each model's credit, and why each touch could count or not."""
    from apportion import explain as module

    module.show(Settings.resolve(data), conversion_id)


identity_app = typer.Typer(help="Why identifiers are one person's, and how to part them.")
app.add_typer(identity_app, name="identity", no_args_is_help=True)
One = Annotated[str, typer.Argument(help="An identifier: value, or type:value.")]


@identity_app.command("explain")
def identity_explain(first: One, second: One, data: Data = None, verbose: Verbose = False) -> None:
    """Show why two identifiers are one person's, step by step, or what keeps them apart."""
    from apportion import identity

    identity.explain(Settings.resolve(data), first, second)


@identity_app.command("match")
def identity_match(
    landing: Annotated[
        Path | None,
        typer.Option(help="Input folder (default: APPORTION_LANDING, else <data>/landing)."),
    ] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Find CRM records that are probably one person's, and land the matches for the next night."""
    from apportion import matching

    settings = Settings.resolve(data, landing)
    typer.echo(matching.land(settings, matching.find(settings)))


@identity_app.command("split")
def identity_split(
    first: One,
    second: One,
    comment: Annotated[str, typer.Option(help="Why, for those who come after.")] = "",
    landing: Annotated[
        Path | None,
        typer.Option(help="Input folder (default: APPORTION_LANDING, else <data>/landing)."),
    ] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Part two identifiers for good: from the next night on they are never one person's."""
    from apportion import identity

    typer.echo(identity.split(Settings.resolve(data, landing), first, second, comment))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def dbt(context: typer.Context, data: Data = None) -> None:
    """Run dbt with the paths and vars of this installation, e.g. apportion dbt build."""
    from apportion import transform

    raise SystemExit(transform.passed_through(Settings.resolve(data), context.args))


@quarantined.command("list")
def quarantine_list(data: Data = None, verbose: Verbose = False) -> None:
    """Show the files with rows in the quarantine, and the reasons."""
    from apportion import quarantine

    quarantine.show_files(Settings.resolve(data))


@quarantined.command("show")
def quarantine_show(
    file: Annotated[Path, typer.Argument(help="Path of the landed file, as the list has it.")],
    limit: Annotated[int, typer.Option(min=1, help="Lines to show.")] = 20,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Show the quarantined lines of a file as they were landed: they may hold personal data."""
    from apportion import quarantine

    quarantine.show_lines(Settings.resolve(data), file.resolve(), limit)


@quarantined.command("retry")
def quarantine_retry(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Landed files (default: all in the quarantine).")
    ] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Read files again after an alias or a rule was mended; the next night takes the rows in."""
    from apportion import load, lock, logs
    from apportion.night import Night

    night = Night(Settings.resolve(data))
    with lock.hold(night.settings, night.run_id), logs.recording(night.settings, night.run_id):
        told = load.retry(night, [file.resolve() for file in files or ()])
    typer.echo("\n".join(told) or "the quarantine is empty")


@app.command()
def rollback(
    to: Annotated[
        str | None, typer.Option(help="Run id of the version (default: the one before).")
    ] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Publish an earlier version again."""
    from apportion import lock, publish
    from apportion.night import Night

    night = Night(Settings.resolve(data))
    with lock.hold(night.settings, night.run_id):
        typer.echo(publish.rollback(night.settings, to))


@app.command()
def restore(
    from_landing: Annotated[
        bool,
        typer.Option("--from-landing", help="Without the copy: make a new one of what is landed."),
    ] = False,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Put the last good copy of the warehouse in the place of a damaged one."""
    from apportion import last_good, lock
    from apportion.night import Night

    night = Night(Settings.resolve(data))
    with lock.hold(night.settings, night.run_id):
        typer.echo(last_good.restore(night.settings, from_landing=from_landing))


@app.command()
def doctor(
    landing: Annotated[
        Path | None,
        typer.Option(help="Input folder (default: APPORTION_LANDING, else <data>/landing)."),
    ] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Look whether everything is there that a night needs; each line says how to mend it."""
    from apportion import doctor as module

    if not module.show(Settings.resolve(data, landing)):
        raise SystemExit(1)


@app.command()
def report(
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on 127.0.0.1 until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0: any that is free.")] = 8090,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Open the report of the published version in the browser, and say where it is."""
    from apportion.report import reading

    settings = Settings.resolve(data)
    page = reading.page(settings)
    if serve:
        reading.serve(page, port)
        return
    typer.echo(str(page))
    reading.open_in_browser(page)


@app.command()
def docs(data: Data = None, verbose: Verbose = False) -> None:
    """Open the documentation of every model, of the published version, and say where it is."""
    from apportion import model_docs
    from apportion.report import reading

    page = model_docs.page(Settings.resolve(data))
    typer.echo(str(page))
    reading.open_in_browser(page)


@app.command()
def erase(
    user_id: Annotated[str | None, typer.Option(help="Of the person to erase.")] = None,
    email: Annotated[str | None, typer.Option(help="Of the person to erase.")] = None,
    phone: Annotated[str | None, typer.Option(help="Of the person to erase.")] = None,
    anonymous_id: Annotated[str | None, typer.Option(help="Of the person to erase.")] = None,
    landing: Annotated[
        Path | None,
        typer.Option(help="Input folder (default: APPORTION_LANDING, else <data>/landing)."),
    ] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Erase the person named, if any, and all of the data set privacy_requests, for good.

    Totals stay; earlier versions go; what is delivered of them later is kept out.
    """
    from apportion import lock, privacy, runner
    from apportion.night import PRIVACY_STEPS, Night
    from apportion.progress import Progress

    given = {"user_id": user_id, "email": email, "phone": phone, "anonymous_id": anonymous_id}
    settings = Settings.resolve(data, landing)
    night = Night(settings)
    with lock.hold(settings, night.run_id), Progress(len(PRIVACY_STEPS)) as progress:
        if person := {kind: value for kind, value in given.items() if value}:
            privacy.request(settings, "erase", person)
        runner.run(night, progress, PRIVACY_STEPS)


@app.command("export-person")
def export_person(
    out: Annotated[Path, typer.Option(help="The JSON file to write.")],
    user_id: Annotated[str | None, typer.Option(help="Of the person.")] = None,
    email: Annotated[str | None, typer.Option(help="Of the person.")] = None,
    phone: Annotated[str | None, typer.Option(help="Of the person.")] = None,
    anonymous_id: Annotated[str | None, typer.Option(help="Of the person.")] = None,
    data: Data = None,
    verbose: Verbose = False,
) -> None:
    """Write all that is kept of a person into a file: what was landed, and what follows from it."""
    from apportion import lock, privacy
    from apportion.night import Night

    given = {"user_id": user_id, "email": email, "phone": phone, "anonymous_id": anonymous_id}
    night = Night(Settings.resolve(data))
    with lock.hold(night.settings, night.run_id):
        person = {kind: value for kind, value in given.items() if value}
        typer.echo(privacy.export(night.settings, person, out))


@app.command()
def simulate(
    users: Annotated[int, typer.Option(help="People.")] = 2000,
    days: Annotated[int, typer.Option(help="Days of history, at least 14.")] = 90,
    seed: Annotated[int, typer.Option(help="Of all randomness: the same gives the same.")] = 1,
    world: Annotated[str, typer.Option(help="What is true in it; see --worlds.")] = "default",
    start: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day (default: 2026-01-01)."),
    ] = None,
    landing: Annotated[
        Path | None,
        typer.Option(help="Folder to write (default: APPORTION_LANDING, else <data>/landing)."),
    ] = None,
    data: Data = None,
    worlds: Annotated[bool, typer.Option("--worlds", help="List the worlds and stop.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write a simulated shop into a landing folder, and the truth about it beside."""
    from apportion import simulate as module
    from apportion.progress import Progress

    if worlds:
        width = max(map(len, module.WORLDS))
        for name, known in module.WORLDS.items():
            typer.echo(f"{name:{width}}  {known.description}")
        return
    began = time.monotonic()
    settings = Settings.resolve(data, landing)
    first = start.date() if start else module.START
    with Progress(0) as progress:
        progress.say(f"simulating {users:,} users over {days:,} days in {settings.landing}")
        module.simulate(
            settings.landing, users=users, days=days, seed=seed, world=world, start=first
        )
        truth = settings.landing.resolve().parent / module.TRUTH
        progress.say(f"simulated in {time.monotonic() - began:.1f} s; the truth is in {truth}")


@app.command()
def airflow(
    data: Data = None,
    landing: Annotated[Path | None, typer.Option(help="Input folder of the nights.")] = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8080,
    verbose: Verbose = False,
) -> None:
    """Run Airflow on 127.0.0.1 with the DAGs scheduled, until Ctrl-C."""
    from apportion import scheduler
    from apportion.progress import Progress

    with Progress(0) as progress:
        scheduler.serve(Settings.resolve(data, landing), port, progress)


def main() -> None:
    """Run the command line and turn errors into one screen and an exit status."""
    os.umask(PRIVATE)
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # Libraries that find no handler set one up, and then write all that is logged to the terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)
    except Exception as error:
        from apportion.progress import report

        report(error, verbose="--verbose" in sys.argv)
        sys.exit(error.exit_status if isinstance(error, ApportionError) else 1)


def _prepare(dataset: str, settings: Settings, progress: Progress) -> None:
    from apportion.bundled import BUNDLED

    if dataset not in BUNDLED:
        raise UsageError(
            f"there is no bundled data set '{dataset}'", f"take one of: {', '.join(BUNDLED)}"
        )
    began = time.monotonic()
    progress.say(f"preparing {dataset} in {settings.landing}")
    BUNDLED[dataset](settings.landing)
    progress.say(f"prepared {dataset} in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
