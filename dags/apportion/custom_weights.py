"""The weights that a business says itself: judged by line, before they weigh anything."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from apportion.errors import UsageError
from apportion.settings import PROJECT

SEED = PROJECT / "seeds" / "attribution_custom_weights.csv"


def check(seed: Path = SEED) -> None:
    """See that each line of the seed has a weight that is a finite number of at least 0.

    Raises:
        UsageError: one has not; the message names seed, line and value.
    """
    with seed.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            text = (row.get("weight") or "").strip()
            try:
                weight = float(text)
            except ValueError:
                weight = math.nan
            if not (math.isfinite(weight) and weight >= 0):
                what = f"'{text}'" if text else "missing"
                raise UsageError(
                    f"seeds/{seed.name}, line {reader.line_num}: the weight of"
                    f" {row.get('dimension')} '{row.get('value')}' is {what};"
                    " it must be a number, 0 or more",
                    f"mend the line in {seed}",
                )
