"""Nothing is lost: a night that dies anywhere leaves, run again, what an undisturbed one leaves.

Each step of the second night of a small shop is killed at its fault points (see faults.py) and run
again as its task would be. What it leaves is compared with what the undisturbed step left: equal
inputs then make equal tables in all steps after it, and some nights go on to the end to show it.
Of a series of the same kind, the points between are killed too, one after another, each on what
the one before left. `APPORTION_FAULTS=all` (see `make faults`) does so with dbt's builds as well.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import faults
import pytest

from apportion import last_good, lock, publish
from apportion.night import STEPS
from apportion.settings import Settings
from apportion.warehouse import connect

NAMES = [step.name for step in STEPS]
FIRST = dt.datetime(2026, 1, 19, 2)
SECOND = dt.datetime(2026, 1, 20, 2)
ANEW = dt.datetime(2026, 1, 20, 7)
EVERY = os.environ.get("APPORTION_FAULTS") == "all"
# A dbt build has hundreds of commits: the first of each stage, one within, and the last.
BUILDS = [name for name in NAMES if name.startswith("build_")]
SCHEMAS = {
    **dict.fromkeys(NAMES, ("raw", "ops", "ml")),
    "build_staging": ("raw", "ops", "staging", "seeds"),
    "build_intermediate": ("intermediate",),
    "build_marts": ("intermediate", "marts", "ops"),
}


@dataclass
class Shop:
    """An installation, the state before each step of its second night, and what the night left."""

    settings: Settings
    states: Path
    points: dict[str, list[str]]

    def begin(self, step: str) -> None:
        """Put everything back to where `step` is about to begin."""
        faults.copy(self.states / step, self.settings.data)

    def left_by(self, step: str) -> Path:
        """The data folder after the undisturbed step."""
        return self.states / [*NAMES, "end"][NAMES.index(step) + 1]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    faults.preload()
    folder = tmp_path_factory.mktemp("faults")
    settings, (later,) = faults.simulated(folder, "19")
    faults.play(settings, FIRST, NAMES)
    shutil.copytree(later, settings.landing, dirs_exist_ok=True)
    made = Shop(settings, folder / "states", {})
    for step in NAMES:
        faults.copy(settings.data, made.states / step)
        made.points[step] = faults.play(settings, SECOND, [step])
    faults.copy(settings.data, made.states / "end")
    return made


def chosen(step: str, points: list[str]) -> Iterator[int]:
    """The points after which the step is run again and compared, each on its own.

    All, but of a series of the same kind the first, the middle and the last; a build is one series.
    """
    numbered = list(enumerate(points))
    if step in BUILDS:
        series = [numbered]
    else:
        # Files that are made durable one after another are one series.
        kinds = groupby(numbered, key=lambda item: item[1].split()[-1] == "fsync" or item[0])
        series = [list(group) for _, group in kinds]
    for members in series:
        for place in sorted({0, len(members) // 2, len(members) - 1}):
            yield members[place][0]


def kill(shop: Shop, step: str, number: int, where: str) -> None:
    """Kill a step at a point, and look that nothing is locked and what people read is whole."""
    assert faults.play(shop.settings, SECOND, [step], kill_at=number) is None, where
    assert lock.holder(shop.settings) is None, where
    # Of this night from the last rename on.
    run_id = faults.published_whole(shop.settings)
    switched = step == "publish" and "before replace" in shop.points[step][:number]
    assert run_id == (SECOND if switched else FIRST).strftime("%Y%m%dT%H%M%S%fZ"), where


def run_again(shop: Shop, step: str, expected: dict[str, list[tuple]], where: str) -> None:
    """Run a killed step as its task would be, and compare what it leaves."""
    faults.play(shop.settings, SECOND, [step])
    found = faults.differences(content(shop.settings.data, SCHEMAS[step]), expected)
    assert not found, where + "\n" + "\n".join(found)
    assert leftovers(shop.settings) == [], where
    if step == "publish":
        assert published(shop.settings.data) == published(shop.states / "end"), where


@pytest.mark.parametrize("step", NAMES)
def test_a_step_killed_at_a_fault_point_and_run_again_leaves_the_same(
    shop: Shop, step: str
) -> None:
    points = shop.points[step]
    expected = content(shop.left_by(step), SCHEMAS[step])
    assert expected and len(points) >= 4, points
    alone = list(chosen(step, points))
    for number in alone:
        where = f"{step}: killed {points[number]} (point {number} of {len(points)})"
        shop.begin(step)
        kill(shop, step, number, where)
        run_again(shop, step, expected, where)
    if step in BUILDS and not EVERY:
        print(f"{step}: {len(alone)} of {len(points)} points")
        return
    shop.begin(step)
    for number in sorted({*range(len(points))} - {*alone}):
        if step in BUILDS and points[number - 1] == "after commit":
            # Its build is recorded: the one killed there left nothing to do.
            shop.begin(step)
        kill(shop, step, number, f"{step}: killed {points[number]}, and before it the ones before")
    run_again(shop, step, expected, f"{step}: killed at one point after the other")
    print(f"{step}: all {len(points)} points")


@pytest.mark.parametrize("step", ["load", "build_intermediate", "publish"])
def test_the_next_night_after_a_kill_leaves_what_an_undisturbed_night_leaves(
    shop: Shop, step: str
) -> None:
    shop.begin(step)
    middle = len(shop.points[step]) // 2
    assert faults.play(shop.settings, SECOND, [step], kill_at=middle) is None
    faults.play(shop.settings, ANEW, NAMES)
    schemas = ("raw", "intermediate", "marts")
    found = faults.differences(
        content(shop.settings.data, schemas), content(shop.states / "end", schemas)
    )
    assert not found, "\n".join(found)
    assert faults.published_whole(shop.settings) == ANEW.strftime("%Y%m%dT%H%M%S%fZ")
    assert leftovers(shop.settings) == []


@pytest.mark.parametrize(("step", "room"), [("load", 2**15), ("publish", 2**20)])
def test_a_step_on_a_full_disk_fails_and_leaves_the_same_once_there_is_room(
    shop: Shop, step: str, room: int
) -> None:
    shop.begin(step)
    with pytest.raises(RuntimeError, match=r"(?i)could not write|too large") as raised:
        faults.play(shop.settings, SECOND, [step], largest_file=room)
    assert "ApportionError" in str(raised.value), raised.value
    assert faults.published_whole(shop.settings) == FIRST.strftime("%Y%m%dT%H%M%S%fZ")
    faults.play(shop.settings, SECOND, [step])
    expected = content(shop.left_by(step), SCHEMAS[step])
    found = faults.differences(content(shop.settings.data, SCHEMAS[step]), expected)
    assert not found, "\n".join(found)
    assert leftovers(shop.settings) == []


def test_a_parquet_file_that_is_damaged_fails_alone_and_loads_once_it_is_mended(
    shop: Shop,
) -> None:
    shop.begin("load")
    (path,) = shop.settings.landing.glob("profile_attributes/2026-01-20.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\0" * (len(whole) - len(whole) // 2))
    try:
        faults.play(shop.settings, SECOND, ["load", "gate_raw", "build_staging", "gate_staging"])
        with connect(shop.settings.warehouse, read_only=True) as connection:
            failed = connection.execute(
                "select parse_filename(path) from raw._files where status = 'failed'"
            ).fetchall()
        assert failed == [(path.name,)]
    finally:
        path.write_bytes(whole)
    faults.play(shop.settings, ANEW, ["load"])
    schemas = ("raw",)
    found = faults.differences(
        content(shop.settings.data, schemas), content(shop.left_by("load"), schemas)
    )
    assert not found, "\n".join(found)


def test_a_damaged_warehouse_is_told_and_restored_without_a_loss(shop: Shop, apportion) -> None:
    # After the first night, when the last two days have landed.
    shop.begin("load")
    where = ("--data", shop.settings.data)
    nights = ("run", *where, "--landing", shop.settings.landing)
    with shop.settings.warehouse.open("r+b") as file:
        file.seek(3 * 4096)
        while block := file.read(2**18):
            file.seek(-len(block), os.SEEK_CUR)
            file.write(b"damaged!" * 8)
            file.seek(len(block) - 64, os.SEEK_CUR)
    told = apportion(*nights)
    assert told.returncode == 1, told.stderr
    assert "is damaged" in told.stderr and "apportion restore" in told.stderr
    assert "Traceback" not in told.stderr
    assert apportion("restore", *where).returncode == 0
    assert faults.published_whole(shop.settings) == FIRST.strftime("%Y%m%dT%H%M%S%fZ")
    faults.play(shop.settings, SECOND, NAMES)
    schemas = ("raw", "intermediate", "marts")
    found = faults.differences(
        content(shop.settings.data, schemas), content(shop.states / "end", schemas)
    )
    assert not found, "\n".join(found)


def test_without_a_copy_everything_is_loaded_again_from_landing(shop: Shop, apportion) -> None:
    shop.begin("load")
    where = ("--data", shop.settings.data)
    last_good.forget(shop.settings)
    shop.settings.warehouse.write_bytes(b"this is no warehouse" * 1000)
    told = apportion("restore", *where)
    assert told.returncode == 2
    assert "apportion restore --from-landing" in told.stderr
    done = apportion("restore", *where, "--from-landing")
    assert done.returncode == 0, done.stderr
    assert len(list(shop.settings.data.glob("warehouse.damaged-*.duckdb"))) == 1
    faults.play(shop.settings, ANEW, ["load"])
    # Files get their numbers in another order: all of them came at once.
    for data in (shop.settings.data, shop.left_by("load")):
        with connect(data / "warehouse.duckdb", read_only=True) as connection:
            tables = connection.execute(
                "select table_name from duckdb_tables()"
                " where schema_name = 'raw' and not starts_with(table_name, '_')"
            ).fetchall()
            counts = {
                table: connection.execute(
                    f"select count(*), sum(hash(columns(c -> not starts_with(c, '_'))))"
                    f" from raw.{table}"
                ).fetchone()
                for (table,) in tables
            }
        if data == shop.settings.data:
            actual = counts
    assert actual == counts


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, apportion) -> None:
    landing = tmp_path / "landing"
    (landing / "events").mkdir(parents=True)
    (landing / "events" / "a.jsonl").write_text(
        '{"event_name": "page_viewed", "occurred_at": "2026-01-01"}\n'
    )
    # A folder below a file can be made by nobody, not even by root.
    (tmp_path / "file").touch()
    told = apportion("run", "--landing", landing, "--data", tmp_path / "file" / "data")
    assert told.returncode == 1
    assert "cannot be written" in told.stderr and "apportion doctor" in told.stderr
    assert "Traceback" not in told.stderr


def content(data: Path, schemas: tuple[str, ...]) -> dict[str, list[tuple]]:
    """The tables of a data folder that are compared."""
    return faults.content(data / "warehouse.duckdb", schemas, without=faults.NAMED_BY_NIGHTS)


def leftovers(settings: Settings) -> list[str]:
    """What a killed run must not leave once it has run again."""
    return [
        path.name
        for path in settings.data.rglob("*")
        if publish.PARTIAL in path.name or path.name.startswith("load-")
    ]


def published(data: Path) -> dict[str, tuple]:
    """Rows and a sum of all values of each published table, but of those about the run."""
    with connect(data / "published" / publish.DATABASE, read_only=True) as connection:
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
        return {
            table: connection.execute(
                f"select count(*), sum(hash(rows)) from marts.{table} as rows"
            ).fetchone()
            for (table,) in tables
            if table != "run_log"
        }
