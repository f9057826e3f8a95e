"""Nights that find people and stop there."""

from __future__ import annotations

import datetime as dt

from apportion import built, load, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

START = dt.datetime(2026, 1, 1)


def resolve(
    settings: Settings, day: int | None, *, full_refresh: bool = False, more: tuple[str, ...] = ()
) -> None:
    """Load one night, build identity and some more, and keep what the next night compares with.

    Args:
        settings: the installation.
        day: day from START that it is judged as of; None: the last day of the data.
        full_refresh: build everything.
        more: further models and seeds, as dbt selects them.
    """
    date = None if day is None else (START + dt.timedelta(days=day)).date()
    load.load(Night(settings, date=date))
    with connect(settings.warehouse) as connection:
        built.prepare(connection)
    models = ["identity_placeholders", "path:models/staging", "int_events__landed"]
    models += ["int_nights__changed_files"]
    arguments = ["build", "--select", *models, "path:models/intermediate/identity", *more]
    arguments += ["--exclude-resource-type", "unit_test", "--indirect-selection", "cautious"]
    result = transform.invoke(settings, arguments + ["--full-refresh"] * full_refresh, quiet=True)
    assert result.success, [
        (node.node.name, node.message)
        for node in getattr(result.result, "results", None) or ()
        if node.status in ("error", "fail")
    ] or result.exception
    with connect(settings.warehouse) as connection:
        built.remember_people(connection)
