"""The metrics say what the rows behind them say, and count nothing twice; MetricFlow agrees."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import duckdb
import pytest

from apportion import semantic_layer
from apportion.settings import PROJECT, Settings

# What each metric must be, from other tables than the ones that it reads wherever there are any.
EXPECTED = {
    "conversions": "select count(*) from conversions",
    "revenue": "select sum(revenue) from conversions",
    "people": "select count(distinct user_key) from user_profiles",
    "predicted_clv": "select sum(predicted_clv) from user_profiles",
    "average_predicted_clv": "select avg(predicted_clv) from user_profiles",
    "credited_conversions": "select count(*) from conversions",
    "credited_revenue": "select sum(revenue) from conversions",
    "spend": "select sum(spend) from spend_daily",
    "cpa": "select (select sum(spend) from spend_daily) / count(*) from conversions",
    "roas": "select sum(revenue) / (select sum(spend) from spend_daily) from conversions",
    "sends": "select sum(sends) from kpi_daily where segment_family = 'all'",
    "opens": "select sum(opens) from kpi_daily where segment_family = 'all'",
    "clicks": "select sum(clicks) from kpi_daily where segment_family = 'all'",
    "messages_shown": "select sum(sends + impressions) from kpi_daily where segment_family = 'all'",
    "sessions": "select count(*) from sessions",
    "converted": "select count(*) from conversions",
    "orders": "select count(*) from conversions where revenue > 0",
    "order_revenue": "select sum(revenue) from conversions",
    "open_rate": """
        select sum(opens) / nullif(sum(sends), 0) from kpi_daily where segment_family = 'all'
    """,
    "click_through_rate": """
        select sum(clicks) / nullif(sum(sends + impressions), 0)
        from kpi_daily where segment_family = 'all'
    """,
    "conversion_rate": "select count(*) / (select count(*) from sessions) from conversions",
    "average_order_value": "select sum(revenue) / count(*) filter (revenue > 0) from conversions",
    "cohort_people": """
        select sum(users) from cohort_retention where segment_family = 'all' and month_number = 1
    """,
    "cohort_returned": """
        select sum(retained) from cohort_retention where segment_family = 'all' and month_number = 1
    """,
    "retention_rate": """
        select sum(retained) / nullif(sum(users), 0)
        from cohort_retention where segment_family = 'all' and month_number = 1
    """,
}
AGGREGATES = {"sum": "sum({})", "count": "count({})", "average": "avg({})"}


@pytest.fixture(scope="module")
def version(small_night: Settings) -> Path:
    return small_night.published.resolve()


@pytest.fixture(scope="module")
def manifest(version: Path) -> dict:
    path = version / semantic_layer.FOLDER / "target" / semantic_layer.MANIFEST
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def connection(version: Path) -> duckdb.DuckDBPyConnection:
    with duckdb.connect(str(version / "apportion.duckdb"), read_only=True) as opened:
        opened.execute("use marts")
        yield opened


def measures(manifest: dict) -> dict[str, str]:
    """One select by measure, as the semantic models define it."""
    return {
        measure["name"]: "select "
        + AGGREGATES[measure["agg"]].format(measure["expr"] or measure["name"])
        + f" from {model['node_relation']['relation_name']}"
        for model in manifest["semantic_models"]
        for measure in model["measures"]
    }


def evaluated(connection: duckdb.DuckDBPyConnection, manifest: dict, metric: dict) -> float | None:
    """A metric over everything: a measure, or one metric divided by another."""
    metrics = {metric["name"]: metric for metric in manifest["metrics"]}
    terms = metric["type_params"]
    if metric["type"] == "ratio":
        above, below = (
            evaluated(connection, manifest, metrics[terms[term]["name"]])
            for term in ("numerator", "denominator")
        )
        return float(above) / float(below) if below else None
    assert metric["type"] == "simple", metric
    return connection.execute(measures(manifest)[terms["measure"]["name"]]).fetchone()[0]


def same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-9)


def test_each_metric_is_what_the_rows_say(
    connection: duckdb.DuckDBPyConnection, manifest: dict
) -> None:
    assert {metric["name"] for metric in manifest["metrics"]} == set(EXPECTED)
    for metric in manifest["metrics"]:
        ours = evaluated(connection, manifest, metric)
        theirs = connection.execute(EXPECTED[metric["name"]]).fetchone()[0]
        assert same(ours, theirs), (metric["name"], ours, theirs)


def test_each_metric_is_described_and_each_dimension_is_a_column(
    connection: duckdb.DuckDBPyConnection, manifest: dict
) -> None:
    assert not [metric["name"] for metric in manifest["metrics"] if not metric["description"]]
    for model in manifest["semantic_models"]:
        for part in [*model["dimensions"], *model["entities"]]:
            column = part["expr"] or part["name"]
            connection.execute(f"select {column} from {model['node_relation']['relation_name']}")


def test_the_guide_has_each_metric() -> None:
    guide = (PROJECT / "docs" / "semantic-layer.md").read_text(encoding="utf-8")
    assert not [name for name in EXPECTED if f"`{name}`" not in guide]


def test_the_calendar_has_every_day_once(connection: duckdb.DuckDBPyConnection) -> None:
    days, first, last = connection.execute(
        "select count(*), min(calendar_date), max(calendar_date) from calendar"
    ).fetchone()
    assert days == (last - first).days + 1
    assert (first.month, first.day) == (1, 1)
    assert connection.execute(
        "select count(*) from kpi_daily anti join calendar on activity_date = calendar_date"
    ).fetchone() == (0,)


@pytest.fixture(scope="module")
def metricflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MetricFlow in an environment that shares our packages."""
    folder = tmp_path_factory.mktemp("metricflow")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / "base.pth").write_text(sysconfig.get_path("purelib"))
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    pins = PROJECT / "tests" / "python" / "metricflow.txt"
    installed = subprocess.run(
        [*command, "-q", "--no-deps", "--retries", "0", "--timeout", "15", "-r", str(pins)],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        pytest.skip("needs a package index: " + installed.stderr.strip().splitlines()[-1])
    return folder


def mf(environment: Path, version: Path, *arguments: str) -> str:
    result = subprocess.run(
        [environment / "bin" / "mf", *arguments],
        cwd=version / semantic_layer.FOLDER,
        env={
            **os.environ,
            "DBT_TARGET_PATH": str(environment / "target"),
            "DBT_LOG_PATH": str(environment / "logs"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_metricflow_finds_no_fault(metricflow: Path, version: Path) -> None:
    said = mf(metricflow, version, "validate-configs")
    assert said.count("ERRORS: 0, FUTURE_ERRORS: 0, WARNINGS: 0") == 6


@pytest.mark.parametrize(
    ("metrics", "by", "select"),
    [
        (
            "credited_conversions,spend,cpa",
            "channel",
            """
            select
                channel, credit.conversions, spending.spend,
                spending.spend / credit.conversions
            from (
                select channel, sum(credit) as conversions from attribution_credits
                where attribution_model = 'time_decay' and attribution_scope = 'all'
                group by channel
            ) as credit
            full join (
                select channel, sum(spend) as spend from spend_daily group by channel
            ) as spending using (channel)
            """,
        ),
        (
            "revenue,conversions",
            "person__country",
            """
            select country, sum(conversions.revenue), count(*)
            from conversions left join user_profiles using (user_key) group by country
            """,
        ),
        (
            "sends,open_rate",
            "metric_time__month",
            """
            select
                date_trunc('month', activity_date), sum(sends), sum(opens) / nullif(sum(sends), 0)
            from kpi_daily where segment_family = 'all' group by 1
            """,
        ),
    ],
)
def test_metricflow_answers_as_sql_does(
    metricflow: Path,
    version: Path,
    connection: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    metrics: str,
    by: str,
    select: str,
) -> None:
    path = tmp_path / "answer.csv"
    mf(metricflow, version, "query", "--metrics", metrics, "--group-by", by, "--csv", str(path))
    with path.open() as file:
        answered = {row[0][:10]: row[1:] for row in list(csv.reader(file))[1:]}
    expected = {str(row[0] or "")[:10]: row[1:] for row in connection.execute(select).fetchall()}
    assert set(answered) == set(expected)
    for key, values in expected.items():
        for ours, theirs in zip(answered[key], values, strict=True):
            assert same(ours or None, theirs), (key, answered[key], values)
