"""The documentation of every model in each version, and who is said to read the marts."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from apportion import model_docs, transform
from apportion.errors import UsageError
from apportion.report.contents import CARDS, DATASETS, PAGES
from apportion.settings import PROJECT, Settings

MARTS = {path.stem for path in (PROJECT / "models" / "marts").rglob("*.sql")}
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "</script><script>window.ran = true</script>"


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """What dbt parses of the project, and a warehouse with one table of it."""
    settings = Settings(data := tmp_path_factory.mktemp("parsed"), data / "landing")
    result = transform.invoke(settings, ["--warn-error", "parse"], quiet=True)
    assert result.success, result.exception
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.conversions (revenue decimal(18, 4))")
    return settings


@pytest.fixture(scope="module")
def exposures(parsed: Settings) -> dict[str, set[str]]:
    """Tables by the exposure that reads them."""
    manifest = json.loads((parsed.target / "manifest.json").read_text())
    return {
        exposure["name"]: {node.split(".")[-1] for node in exposure["depends_on"]["nodes"]}
        for exposure in manifest["exposures"].values()
    }


def test_each_page_of_the_report_is_an_exposure(exposures: dict[str, set[str]]) -> None:
    tables = {dataset.name: dataset.tables for dataset in DATASETS}
    pages = {
        f"report_{page}": {
            table for card in CARDS if card.page == page for table in tables[card.dataset]
        }
        for page in PAGES
    }
    # The report is ready for tables that the project does not have yet.
    pages = {name: read & MARTS for name, read in pages.items()}
    assert {name: exposures[name] for name in exposures if name.startswith("report_")} == pages


def test_the_questions_are_an_exposure(exposures: dict[str, set[str]]) -> None:
    asked = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
    assert exposures["questions"] == set(re.findall(r"from marts\.(\w+)", asked))


def test_each_mart_leaves_with_the_published_file(exposures: dict[str, set[str]]) -> None:
    assert exposures["published_file"] == MARTS


def opened(page: Path, place: str) -> tuple[str, list[str]]:
    """The text that the page shows at a place, and every request for what is not in its folder."""
    from playwright.sync_api import sync_playwright

    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(f"{page.as_uri()}#!{place}")
        tab.wait_for_selector("h1", timeout=30_000)
        # What would be asked for later, such as statistics, is asked for by then.
        tab.wait_for_timeout(1_500)
        assert tab.evaluate("window.ran") is None
        text = tab.inner_text("body")
        browser.close()
    return text, [url for url in requests if not url.startswith(page.parent.as_uri())]


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: chromium)")
def test_the_page_shows_a_table_and_asks_nobody(parsed: Settings, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", tmp_path / "landing")
    shutil.copytree(parsed.data, settings.data)
    path = settings.target / "manifest.json"
    manifest = json.loads(path.read_text())
    node = manifest["nodes"]["model.apportion.conversions"]
    node["columns"]["revenue"]["description"] = HOSTILE
    manifest["metadata"]["send_anonymous_usage_stats"] = True
    path.write_text(json.dumps(manifest))
    page = model_docs.build(settings, tmp_path)
    text, requests = opened(page, "/model/model.apportion.conversions")
    assert "DECIMAL(18,4)" in text
    assert "One row per conversion." in text
    assert "Report: ROI" in opened(page, "/exposure/exposure.apportion.report_roi")[0]
    assert requests == []


def test_the_page_says_nothing_of_this_machine(parsed: Settings, tmp_path: Path) -> None:
    page = model_docs.build(parsed, tmp_path).read_text()
    assert str(PROJECT) not in page
    assert str(parsed.data) not in page
    assert "macro.apportion.attribution_model__linear" in page
    assert "macro.dbt." not in re.sub(r'"(macros|nodes)":\["macro[^]]*\]', "", page)


def test_before_the_first_build_there_is_no_page(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", tmp_path / "landing")
    assert model_docs.build(settings, tmp_path) is None
    assert not (tmp_path / model_docs.FOLDER).exists()
    with pytest.raises(UsageError, match="there is no documentation"):
        model_docs.page(settings)


def test_a_night_publishes_it(small_night: Settings, apportion) -> None:
    result = apportion("docs", "--data", small_night.data, env={**os.environ, "BROWSER": "true"})
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(model_docs.page(small_night))
    assert "model.apportion.attribution_credits" in model_docs.page(small_night).read_text()
