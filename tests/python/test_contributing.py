"""The cookbook of CONTRIBUTING.md, done as it is written, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from small_world import write_small_world

FOLDERS = ("dags", "models", "macros", "seeds", "tests", "expectations")
FILES = ("dbt_project.yml", "profiles.yml", "selectors.yml", "CONTRIBUTING.md")


@pytest.fixture(scope="module")
def copy(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which a night over the small world was run."""
    root = tmp_path_factory.mktemp("cookbook") / "project"
    for folder in FOLDERS:
        shutil.copytree(project / folder, root / folder)
    for file in FILES:
        shutil.copy(project / file, root / file)
    write_small_world(root / "data" / "landing")
    tools = root / "tools"
    tools.mkdir()
    (tools / "apportion").write_text(f'#!/bin/sh\nexec {sys.executable} -m apportion.cli "$@"\n')
    (tools / "apportion").chmod(0o755)
    shell(root, "apportion run")
    return root


def shell(root: Path, script: str) -> str:
    """Run a script at the top of the copy; `apportion` there is the copy's own."""
    result = subprocess.run(
        ["bash", "-euc", script],
        cwd=root,
        env=os.environ
        | {"PATH": f"{root / 'tools'}:{os.environ['PATH']}", "PYTHONPATH": str(root / "dags")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return result.stdout


def recipe(root: Path, heading: str) -> str:
    """The first shell block under a heading of the cookbook."""
    section = (root / "CONTRIBUTING.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL).group(1)


def query(root: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(root / "data" / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_an_attribution_model_is_added(copy: Path) -> None:
    shell(copy, recipe(copy, "Add an attribution model"))
    ((conversions, credit),) = query(
        copy,
        "select (select count(*) from marts.conversions), sum(conversions)"
        " from marts.attribution_by_channel"
        " where attribution_model = 'first_heavy' and attribution_scope = 'all'",
    )
    assert credit == pytest.approx(conversions, abs=1e-9)


def test_a_segment_family_is_added(copy: Path) -> None:
    shell(copy, recipe(copy, "Add a segment family"))
    members = dict(
        query(
            copy,
            "select segment, members from marts.segment_definitions"
            " where segment_family = 'order_habit'",
        )
    )
    ((buyers, people),) = query(
        copy, "select count(*) filter (where orders_count > 0), count(*) from marts.user_profiles"
    )
    assert members["occasional"] + members["regular"] == buyers > 0
    assert members["never"] == people - buyers
    assert query(copy, "select count(segment_order_habit) from marts.journey_touchpoints") > [(0,)]


def test_an_expectation_is_added(copy: Path) -> None:
    script = recipe(copy, "Add an expectation")
    # The recipe ends by running the tests of the gates, which run here anyway.
    shell(copy, script[: script.index(".venv/bin/python -m pytest")])
    shell(copy, "apportion run")
    judged = query(
        copy,
        "select success from ops.quality_results where \"check\" like 'basket_size%'",
    )
    assert judged == [(True,)]


def test_a_source_is_added(copy: Path) -> None:
    landed = copy / "data" / "landing" / "helpdesk" / "tickets.csv"
    landed.parent.mkdir()
    landed.write_text(
        "ticket,opened,mail,topic\n"
        "t1,2026-03-01 10:00,person1@shop.example,shoes\n"
        "t1,2026-03-01 10:00,person1@shop.example,shoes\n"
        "t2,someday,person1@shop.example,hats\n"
    )
    shell(copy, recipe(copy, "Add a source"))
    assert query(
        copy,
        "select event_name, count(user_key), sum(duplicates_count)"
        " from intermediate.int_events__deduplicated"
        " where event_id like 'helpdesk|%' group by event_name",
    ) == [("support_contacted", 1, 1)]
    assert query(
        copy,
        "select rows_in_file, rows_loaded, rows_quarantined, duplicate_rows"
        " from marts.load_accounting where dataset = 'helpdesk'",
    ) == [(3, 2, 1, 1)]
