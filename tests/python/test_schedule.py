"""Nights out of the ordinary: by the hour, of a range of days that was missing, of one concept.

Each leaves what a full refresh of the same raw leaves.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import faults
import pytest
from test_nights import build, content, differences

from apportion import fit, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

# Days since the first, as `build` counts them; the last one is the 20th of January.
BEFORE, LAST = 17, 20


def refreshed(settings: Settings, folder: Path) -> dict[str, list[tuple]]:
    """What a full refresh of a copy leaves."""
    again = Settings(folder / "again", settings.landing)
    faults.copy(settings.data, again.data)
    build(again, LAST, full_refresh=True)
    return content(again)


def by_hour(later: Path, parts: int) -> Iterator[list[Path]]:
    """Take the events that landed later apart, as an export by the hour would have them."""
    lines = [
        line
        for path in sorted((later / "events").iterdir())
        for line in gzip.decompress(path.read_bytes()).decode().splitlines()
    ]
    others = [path for path in later.rglob("*.*") if path.parent.name != "events"]
    shutil.rmtree(later / "events")
    (later / "events").mkdir()
    for number in range(parts):
        path = later / "events" / f"2026-01-20T{24 * number // parts:02}.jsonl"
        part = lines[len(lines) * number // parts : len(lines) * (number + 1) // parts]
        path.write_text("\n".join(part) + "\n")
        yield [path, *(others if number == 0 else [])]


def test_hourly_runs_leave_what_a_full_refresh_leaves(tmp_path: Path) -> None:
    settings, (later,) = faults.simulated(tmp_path, "19")
    build(settings, BEFORE)
    for hour, paths in enumerate(by_hour(later, 3)):
        for path in paths:
            target = settings.landing / path.relative_to(later)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        if hour == 2:
            # The weekly training may fall between two runs of a day.
            fit.fit(Night(settings))
        said = build(settings, LAST)
        assert "what changed" in said or hour == 2, said
        assert not differences(content(settings), refreshed(settings, tmp_path)), f"hour {hour}"
    # Nothing came within the hour: nothing is built.
    assert "nothing is new" in build(settings, LAST)


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A shop whose 8th to 12th of January come after the 20th."""
    folder = tmp_path_factory.mktemp("backfilled")
    settings, () = faults.simulated(folder)
    missing = [
        path
        for path in settings.landing.rglob("*.*")
        if "2026-01-08" <= path.name < "2026-01-13" and path.parent.name in ("events", "orders")
    ]
    assert len(missing) >= 5
    for path in missing:
        path.rename(folder / f"{path.parent.name} {path.name}")
    build(settings, LAST)
    for path in missing:
        (folder / f"{path.parent.name} {path.name}").rename(path)
    assert "what changed" in build(settings, LAST)
    return settings


def test_a_range_of_days_that_comes_late_leaves_what_a_full_refresh_leaves(
    backfilled: Settings, tmp_path: Path
) -> None:
    assert not differences(content(backfilled), refreshed(backfilled, tmp_path))
    # And the credit of days that were there all along.
    once = Settings(tmp_path / "once", backfilled.landing)
    build(once, LAST)
    credit = (
        "select attribution_model, attribution_scope, conversion_type, channel, converted_date,"
        " round(sum(conversions), 6), round(sum(revenue), 6) from marts.attribution_by_channel"
        " where attribution_model not in"
        " (select attribution_model from ml.attribution_element_weights)"
        " group by all order by all"
    )
    results = []
    for settings in (backfilled, once):
        with connect(settings.warehouse, read_only=True) as connection:
            results.append(connection.execute(credit).fetchall())
    assert results[0] == results[1] and len(results[0]) > 100


@pytest.mark.parametrize("concept", ["sessions", "journeys", "attribution"])
def test_a_full_refresh_of_one_concept_leaves_what_was_there(
    backfilled: Settings, tmp_path: Path, concept: str
) -> None:
    settings = Settings(tmp_path / "data", backfilled.landing)
    faults.copy(backfilled.data, settings.data)
    before = content(settings)
    select = f"path:models/intermediate/{concept}"
    arguments = ["build", "--full-refresh", "--select", select]
    assert transform.passed_through(settings, [*arguments, "--exclude", "test_type:unit"]) == 0
    assert not differences(content(settings), before)
    # The next night does not trust what was built by hand.
    assert "everything: nothing is known of the tables" in build(settings, LAST)
    assert not differences(content(settings), before)
