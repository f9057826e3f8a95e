"""The simulated shop: every data set of the contract, with known true effects and planted defects.

docs/simulated-shop.md has the model and its formulas, and tells how to read the truth.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

from apportion.datasets import DATASETS
from apportion.errors import UsageError
from apportion.simulate.worlds import WORLDS, World

__all__ = ["WORLDS", "World", "simulate", "write_shop"]

VERSION = 1
"""Raise it when the same arguments give other files, so that existing folders are written anew."""

START = dt.date(2026, 1, 1)
SHOP = {"users": 2000, "days": 90, "seed": 1, "world": "default"}
"""The bundled input."""

MIN_DAYS = 14
MARK = ".simulated.json"
"""The file that says that a landing folder is a simulation."""
_SCRATCH = ".simulating"
TRUTH = "truth"
"""Folder beside the landing folder."""


def simulate(
    landing: Path,
    *,
    users: int,
    days: int,
    seed: int,
    world: str = "default",
    start: dt.date = START,
) -> None:
    """Write a simulated shop into a landing folder, and its truth into `truth` beside it.

    The same arguments give the same bytes. A simulated shop that is there is replaced.

    Args:
        landing: folder of the data sets; it is made if it does not exist.
        users: people, at least 1.
        days: at least 14; about 1.1 events per person and day.
        seed: of all randomness, at least 0.
        world: a key of WORLDS.
        start: first day.

    Raises:
        UsageError: an argument is out of range, the history would end after today (what happens
            tomorrow is quarantined), or a folder holds files that no simulation wrote.
    """
    _check(landing, users, days, seed, world, start)
    from apportion.simulate import history, writing

    call = _call(users, days, seed, world, start)
    landing = landing.resolve()
    truth = landing.parent / TRUTH
    landing.mkdir(parents=True, exist_ok=True)
    scratch = landing / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    happened = history.build(WORLDS[world], users, days, seed, start)
    writing.write(happened, scratch / "landing", scratch / "truth", call)

    # From here to the last line the mark says that the folder is a simulation, but not which.
    mark = landing / MARK
    mark.write_text("{}", encoding="utf-8")
    for dataset in DATASETS:
        shutil.rmtree(landing / dataset, ignore_errors=True)
        if (scratch / "landing" / dataset).is_dir():
            (scratch / "landing" / dataset).replace(landing / dataset)
    shutil.rmtree(truth, ignore_errors=True)
    (scratch / "truth").replace(truth)
    (scratch / "mark").write_text(json.dumps(call), encoding="utf-8")
    (scratch / "mark").replace(mark)
    shutil.rmtree(scratch)


def write_shop(landing: Path) -> None:
    """Write the bundled simulated shop; do nothing where this version of it is written.

    Args:
        landing: the folder to write into; the truth is written into the folder `truth` beside it.

    Raises:
        UsageError: the folder holds files that no simulation wrote.
    """
    mark = landing / MARK
    call = _call(start=START, **SHOP)
    if mark.is_file() and json.loads(mark.read_text(encoding="utf-8")) == call:
        return
    simulate(landing, **SHOP)


def _call(users: int, days: int, seed: int, world: str, start: dt.date) -> dict[str, object]:
    return {
        "version": VERSION,
        "world": world,
        "users": users,
        "days": days,
        "seed": seed,
        "start": start.isoformat(),
    }


def _check(landing: Path, users: int, days: int, seed: int, world: str, start: dt.date) -> None:
    if world not in WORLDS:
        raise UsageError(f"there is no world '{world}'", f"take one of: {', '.join(WORLDS)}")
    if users < 1 or days < MIN_DAYS or seed < 0:
        raise UsageError(
            f"cannot simulate {users} users over {days} days with seed {seed}",
            f"users at least 1, days at least {MIN_DAYS}, seed at least 0",
        )
    end = start + dt.timedelta(days - 1)
    today = dt.datetime.now(dt.UTC).date()
    if end > today:
        raise UsageError(
            f"the history would end on {end}, after today: its last days would be quarantined",
            f"take fewer days, or an earlier start, e.g. {today - dt.timedelta(days)}",
        )
    if landing.is_dir() and not (landing / MARK).is_file():
        others = sorted(
            path.name for path in landing.iterdir() if path.name not in (_SCRATCH, "vars.yml")
        )
        if others:
            raise UsageError(
                f"{landing} holds files that no simulation wrote: {', '.join(others[:5])}",
                "name an empty folder: another --landing, or another --data",
            )
    truth = landing.resolve().parent / TRUTH
    if truth.exists() and not (truth / "effects.json").is_file():
        raise UsageError(
            f"{truth} is where the truth is written, and it holds something else",
            "move it, or name a landing folder elsewhere",
        )
