"""A new attribution model is one .sql file and its .yml: done here in a copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from test_attribution_engine import DBT, NOON, TABLES

SQL = """{% macro attribution_model__u_shaped_test() -%}
    case when touch_count > 1 and touch_number in (1, touch_count) then 3 else 0 end
{%- endmacro %}
"""
YML = """version: 2

macros:
  - name: attribution_model__u_shaped_test
    description: The first and the last touchpoint have an equal share; a single touch weighs 0.
    config:
      meta:
        fallback: linear
"""
BUILT = (
    "attribution_custom_weights",
    "int_attribution__apportioned",
    "attribution_credits",
    "attribution_by_channel",
    "attribution_by_campaign",
    "attribution_by_tactic",
    "attribution_by_content",
    "attribution_model_comparison",
)
ROWS = f"""
insert into warehouse.intermediate.int_attribution__conversions values
    ('three', 'ann', 'order', 90, 90, false, timestamp '{NOON}'),
    ('single', 'bob', 'order', 10, 10, false, timestamp '{NOON}'),
    ('none', 'cyd', 'order', 7, 7, false, timestamp '{NOON}');
insert into warehouse.intermediate.int_touchpoints__collapsed
select
    id, 'click', channel, 'spring', null, 'none', 1, 0, false, false, false
from (values
    ('t1', 'email'), ('t2', 'display'), ('t3', 'paid_search'), ('t4', 'email')
) as touches (id, channel);
insert into warehouse.intermediate.int_journeys__touchpoints
select
    conversion_id, id, touch_number, hours * 3600000000, true,
    timestamp '{NOON}' - to_hours(hours), timestamp '{NOON}'
from (values
    ('three', 't1', 1, 9), ('three', 't2', 2, 5), ('three', 't3', 3, 0), ('single', 't4', 1, 1)
) as journeys (conversion_id, id, touch_number, hours);
"""


@pytest.fixture(scope="module")
def copied(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What dbt reads of the project, copied; one copy, so that dbt parses it once in full."""
    copy = tmp_path_factory.mktemp("copied") / "project"
    for folder in ("models", "macros", "seeds", "tests"):
        shutil.copytree(project / folder, copy / folder)
    for file in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(project / file, copy / file)
    return copy


def dbt(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DBT, *arguments],
        env=os.environ | {"APPORTION_DATA": str(copy.parent)},
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )


def add_model(copy: Path, sql: str, yml: str) -> None:
    folder = copy / "macros" / "attribution" / "models"
    (folder / "u_shaped_test.sql").write_text(sql, encoding="utf-8")
    (folder / "u_shaped_test.yml").write_text(yml, encoding="utf-8")


def test_two_files_add_a_model_to_every_table(copied: Path) -> None:
    file = copied.parent / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(TABLES.replace("create schema", "create schema if not exists") + ROWS)
    add_model(copied, SQL, YML)

    # The build runs the key and conservation tests too, which know the models by the registry.
    result = dbt(
        copied,
        *("build", "--select", *BUILT, "--exclude-resource-type", "unit_test"),
        *("--indirect-selection", "buildable"),
    )
    assert result.returncode == 0, result.stdout
    assert "PASS assert_attribution_conserves_conversions_and_value" in result.stdout
    assert "PASS assert_attribution_credit_is_whole" in result.stdout

    with duckdb.connect(str(file), read_only=True) as connection:
        credits = connection.execute(
            "select attribution_scope, conversion_id, touchpoint_id, credit, credited_revenue"
            " from marts.attribution_credits where attribution_model = 'u_shaped_test'"
            " order by all"
        ).fetchall()
        tables = connection.execute(
            "select attribution_model, sum(conversions) from marts.attribution_by_channel"
            " where attribution_scope = 'all' group by attribution_model"
        ).fetchall()
    assert credits == [
        ("all", "none", None, 1.0, 7.0),
        ("all", "single", "t4", 1.0, 10.0),
        ("all", "three", "t1", 0.5, 45.0),
        ("all", "three", "t2", 0.0, 0.0),
        ("all", "three", "t3", 0.5, 45.0),
        ("personalized", "none", None, 1.0, 7.0),
        ("personalized", "single", None, 1.0, 10.0),
        ("personalized", "three", None, 1.0, 90.0),
    ]
    assert ("u_shaped_test", 3.0) in tables
    assert len(tables) == len(list((copied / "macros/attribution/models").glob("*.sql")))


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        ("meta: {}", "does not say what to do"),
        ("meta: {fallback: lineal}", "names the fallback 'lineal', which is no model"),
        ("meta: {fallback: u_shaped_test}", "u_shaped_test -> u_shaped_test"),
    ],
)
def test_a_fallback_that_cannot_be_used_stops_the_run(
    copied: Path, fallback: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(copied, SQL, YML.replace("meta:\n        fallback: linear", fallback))
    monkeypatch.setenv("APPORTION_DATA", str(copied.parent))
    # In this process, since dbt then parses only what changed.
    place = ("--project-dir", str(copied), "--profiles-dir", str(copied))
    result = dbtRunner().invoke(
        ["--quiet", "compile", "--select", "int_attribution__apportioned", *place]
    )
    DuckDBConnectionManager.close_all_connections()
    assert not result.success
    assert message in " ".join(str(result.exception).split())
