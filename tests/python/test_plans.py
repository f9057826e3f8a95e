"""No model compares every row of one relation with every row of another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from apportion import transform
from apportion.settings import Settings
from apportion.warehouse import connect

# One side is a handful of rows whatever the data: the scopes, the conversion types, the clock.
HANDFUL = {
    "int_attribution__apportioned",
    "int_conversions__valued",
    "int_nights__affected_features",
}
# They read tables that steps before their query put down for the while, so they have no plan alone.
IN_STEPS = "int_identity__"


def operators(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every operator of a plan that DuckDB explains as JSON."""
    for operator in plan:
        yield operator
        yield from operators(operator["children"])


@pytest.mark.parametrize("options", [["--full-refresh"], []], ids=["rebuild", "night"])
def test_no_model_compares_all_pairs(small_night: Settings, options: list[str]) -> None:
    compiled = transform.invoke(small_night, ["compile", *options], quiet=True).result.results
    models = {
        result.node.name: result.node.compiled_code
        for result in compiled
        if result.node.resource_type == "model"
    }
    assert len(models) > 100
    found = []
    with connect(small_night.warehouse, read_only=True) as connection:
        for name, sql in models.items():
            try:
                explained = connection.execute(f"explain (format json) {sql}")
            except duckdb.CatalogException:
                assert name.startswith(IN_STEPS)
                continue
            for operator in operators(json.loads(explained.fetchone()[1])):
                condition = operator["extra_info"].get("Condition", "")
                # A scalar subquery is one row.
                if operator["name"].strip() == "BLOCKWISE_NL_JOIN" and "SUBQUERY" not in condition:
                    found.append((name, condition))
    assert not [(name, condition) for name, condition in found if name not in HANDFUL], found
