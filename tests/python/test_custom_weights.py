"""A custom weight that cannot be used stops the night, by seed, line and value."""

from __future__ import annotations

from pathlib import Path

import pytest

from apportion import custom_weights
from apportion.errors import UsageError


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("element,email,-1", "line 3: the weight of element 'email' is '-1'"),
        ("element,email,", "line 3: the weight of element 'email' is missing"),
        ("element,email", "line 3: the weight of element 'email' is missing"),
        ("touch_type,view,much", "line 3: the weight of touch_type 'view' is 'much'"),
        ("touch_type,view,inf", "line 3: the weight of touch_type 'view' is 'inf'"),
    ],
)
def test_a_weight_that_cannot_be_used_is_named_by_line(
    tmp_path: Path, line: str, said: str
) -> None:
    seed = tmp_path / "attribution_custom_weights.csv"
    seed.write_text(f"dimension,value,weight\nelement,direct,0\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=f"seeds/attribution_custom_weights.csv, {said}"):
        custom_weights.check(seed)


def test_the_seed_as_it_is_can_be_used() -> None:
    custom_weights.check()
