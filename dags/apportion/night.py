"""One night: its steps, in order. The DAG makes a task of each, the command line runs them."""

from __future__ import annotations

import datetime as dt
import importlib
from dataclasses import dataclass, field

from apportion.settings import Settings


@dataclass(frozen=True)
class Night:
    """One run of the nightly job.

    Attributes:
        settings: where everything is.
        run_id: name of the run, unique, sortable by time.
        date: the day that the night is judged as of; None: the last day of the data.
        full_refresh: rebuild every model from raw.
    """

    settings: Settings
    run_id: str = field(
        default_factory=lambda: dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
    )
    date: dt.date | None = None
    full_refresh: bool = False


@dataclass(frozen=True)
class Step:
    """One step: `module.function(night, *arguments)` returns one line of what it did."""

    name: str
    module: str
    function: str
    arguments: tuple[str, ...] = ()

    def run(self, night: Night) -> str:
        """Do the step; its module is imported here, so that reading the list is cheap."""
        function = getattr(importlib.import_module(f"apportion.{self.module}"), self.function)
        return function(night, *self.arguments)


STEPS = (
    Step("load", "load", "load"),
    Step("gate_raw", "gates", "gate", ("raw",)),
    Step("build_staging", "transform", "build", ("staging",)),
    Step("gate_staging", "gates", "gate", ("staging",)),
    Step("build_intermediate", "transform", "build", ("intermediate",)),
    Step("gate_intermediate", "gates", "gate", ("intermediate",)),
    Step("score", "fit", "score"),
    Step("build_marts", "transform", "build", ("marts",)),
    Step("gate_marts", "gates", "gate", ("marts",)),
    Step("publish", "publish", "publish"),
)

# The marts are judged again after people were erased: a step of a run has a name of its own.
PRIVACY_STEPS = (
    *STEPS[:6],
    Step("erase", "privacy", "erase"),
    *(
        Step(f"{step.name}_again", step.module, step.function, step.arguments)
        for step in STEPS[1:6]
    ),
    *STEPS[6:],
    Step("purge", "privacy", "purge"),
)
"""A night that also works the requests of people; see `apportion.privacy`."""

# The weekly training: over what the last night left, valid from the moment it is judged as of.
TRAINING = (
    Step("match_contacts", "matching", "match"),
    Step("fit", "fit", "fit"),
    Step("learn_segments", "segments_ml.train", "train"),
)
