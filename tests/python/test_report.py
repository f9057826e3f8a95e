"""The report: what it shows is what SQL says, and no name and no gap breaks it."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_publish import ready, small  # noqa: F401

from apportion import publish, report, warehouse
from apportion.errors import ApportionError, UsageError
from apportion.night import Night
from apportion.report import reading
from apportion.report.contents import CARDS, DATASETS, PAGES
from apportion.settings import Settings

FACTS = {
    "run_id": "20260131T020000Z",
    "as_of": "2026-01-31T00:00:00",
    "published_at": "2026-01-31T02:00:00+00:00",
    "gates": [
        {"check": "a", "severity": "critical", "success": True},
        {"check": "b", "severity": "warning", "success": False},
    ],
    "reporting_currency": "EUR",
    "default_attribution_model": "time_decay",
}
# What breaks a page that forgets to escape, a chart that reads tags, a sentence, an axis.
AWKWARD = [
    "</script><script>window.broken = 1</script>",
    '<img src="x" onerror="window.broken = 1">',
    "it's \"quoted\" & 'so'",
    "متجر إلكتروني",
    "very long " * 40,
    "=1+1",
    "2026-01",
    "__proto__",
]


@pytest.fixture(scope="session")
def version(small_night: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a night over the small world published, whose tables may be changed."""
    folder = tmp_path_factory.mktemp("version")
    shutil.copy(small_night.published / report.DATABASE, folder / report.DATABASE)
    (folder / report.DATABASE).chmod(0o644)
    return folder


@pytest.fixture
def copy(version: Path, tmp_path: Path) -> Path:
    shutil.copy(version / report.DATABASE, tmp_path / report.DATABASE)
    return tmp_path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, if the machine has one; it is never downloaded."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine to draw the report")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def look(browser: Any) -> Iterator[Any]:
    """Open a page and draw all of it; nothing may fail, and nothing may be asked for."""
    contexts = []

    def opened(page: Path, width: int = 1440, colours: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=colours
        )
        contexts.append(context)
        tab = context.new_page()
        tab.troubles, tab.asked = [], []
        tab.on("pageerror", lambda error: tab.troubles.append(str(error)))
        tab.on("console", lambda said: tab.troubles.append(said.text))
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(page.as_uri())
        try:
            tab.wait_for_selector("html[data-ready]", state="attached", timeout=10_000)
        except Exception as error:
            raise AssertionError(f"the page did not get ready: {tab.troubles}") from error
        tab.evaluate("report.all()")
        return tab

    yield opened
    for context in contexts:
        context.close()


def execute(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(folder / report.DATABASE) as connection:
        connection.execute("use marts")
        return connection.execute(sql).fetchall()


def contents(page: Path) -> dict[str, Any]:
    packed = re.search(r'id="contents">([^<]*)<', page.read_text(encoding="utf-8"))[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def table(tab: Any, card: str) -> list[list[Any]]:
    """The table of a card: texts, and numbers as they are before they are rounded to be read."""
    return tab.evaluate(
        """card => [...document.querySelectorAll(`#card-${card} tbody tr`)].map(
            row => [...row.cells].map(cell => "value" in cell.dataset
                ? (cell.dataset.value === "" ? null : Number(cell.dataset.value))
                : cell.textContent))""",
        card,
    )


def choose(tab: Any, text: str, value: str) -> None:
    tab.get_by_label(text, exact=True).select_option(value)


def test_every_card_has_its_page_its_rows_and_its_columns() -> None:
    datasets = {dataset.name: dataset for dataset in DATASETS}
    assert len({card.name for card in CARDS}) == len(CARDS)
    assert {card.page for card in CARDS} == set(PAGES)
    assert {card.dataset for card in CARDS} == set(datasets)
    for card in CARDS:
        measures = datasets[card.dataset].measures or {}
        ratios = {part for parts in card.ratios.values() for part in parts[:2]}
        assert {*card.values, *card.shown, *ratios} <= {*measures, *card.ratios}, card.name


def test_a_version_has_a_report_of_its_own_numbers(small: Settings) -> None:  # noqa: F811
    publish.publish(Night(small, FACTS["run_id"]))
    page = reading.find(small)
    text = page.read_text(encoding="utf-8")
    assert FACTS["run_id"] in text
    assert contents(page)["facts"]["reporting_currency"] == "USD"
    assert page.stat().st_size < 6e6


def test_a_report_that_cannot_be_made_keeps_the_old_version(
    small: Settings,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish.publish(Night(small, FACTS["run_id"]))
    before = publish.current_version(small)

    def fail(*arguments: Any) -> None:
        raise duckdb.BinderException("no column of this name")

    monkeypatch.setattr(report, "build", fail)
    with pytest.raises(ApportionError, match=r"no column of this name.*old version stays"):
        publish.publish(Night(small, FACTS["run_id"]))
    assert publish.list_versions(small) == [publish.current_version(small)] == [before]


def test_the_rows_in_the_page_add_up_to_the_published_file(copy: Path) -> None:
    datasets = contents(report.build(copy, FACTS))["datasets"]
    for name in ("by_channel", "by_campaign", "by_content", "by_tactic"):
        credited = execute(
            copy,
            f"""
            select sum(conversions), sum(revenue) from attribution_{name}
            where attribution_scope in ('all', 'personalized')
            """,
        )[0]
        columns = datasets[name]["columns"]
        assert sum(columns["conversions"]["numbers"]) == pytest.approx(credited[0], abs=0.5)
        assert sum(columns["revenue"]["numbers"]) == pytest.approx(credited[1], abs=5)
    members = execute(copy, "select count(*) from segment_memberships where is_current")[0][0]
    assert sum(datasets["personas"]["columns"]["people"]["numbers"]) == members > 0


def test_the_same_file_gives_the_same_page(copy: Path) -> None:
    first = report.build(copy, FACTS).read_bytes()
    shutil.rmtree(copy / report.FOLDER)
    assert report.build(copy, FACTS).read_bytes() == first


def test_findings_and_trust_are_of_this_file(copy: Path) -> None:
    text = report.build(copy, FACTS).read_text(encoding="utf-8")
    (kind, number, revenue), *_ = execute(
        copy,
        """
        select conversion_type, count(*), sum(revenue) from conversions group by 1
        order by 3 desc, 2 desc, 1
        """,
    )
    assert f"{number:,} conversions of type {kind} brought {revenue:,.2f} EUR" in text
    assert "1 of 2 checks passed; 1 did not" in text
    assert "2026-01-30" in text, "the last day that counts; the clock is an exclusive end"


@pytest.mark.parametrize(
    ("emptied", "card", "says"),
    [
        ("spend_daily, attribution_roi, attribution_budget_reallocation", "returns", "No spend"),
        ("conversions", "daily", "No conversion has been counted yet"),
        ("touchpoints, journey_touchpoints", "tactic_lift", "No journey has a personalized touch"),
    ],
)
def test_what_is_missing_is_said(copy: Path, look: Any, emptied: str, card: str, says: str) -> None:
    for name in emptied.split(", "):
        execute(copy, f"delete from {name}")
    tab = look(report.build(copy, FACTS))
    assert tab.troubles == []
    assert tab.locator(f"#card-{card} .sentence").text_content().startswith(says)
    assert not tab.locator(f"#card-{card} .chart").is_visible()


def test_a_file_without_any_row_still_opens(copy: Path, look: Any) -> None:
    for (name,) in execute(copy, "select table_name from duckdb_tables()"):
        execute(copy, f"delete from {name}")
    tab = look(report.build(copy, FACTS))
    assert tab.troubles == []
    assert "No conversion has been counted yet" in tab.locator(".findings").text_content()
    assert tab.locator(".sentence.missing").count() == len(CARDS)


def test_a_file_without_some_tables_names_them(copy: Path, look: Any) -> None:
    execute(copy, "drop table attribution_intervals")
    tab = look(report.build(copy, FACTS))
    assert tab.troubles == []
    said = tab.locator("#card-intervals .sentence").text_content()
    assert said.startswith("This published file has no table attribution_intervals.")


def test_no_name_breaks_the_page(copy: Path, look: Any) -> None:
    names = ", ".join(warehouse.literal(name) for name in AWKWARD)
    for name, column in {
        "attribution_by_channel": "channel",
        "attribution_by_campaign": "campaign_id",
        "attribution_intervals": "dimension_value",
        "attribution_by_segment": "segment",
        "load_accounting": "dataset",
    }.items():
        execute(copy, f"update {name} set {column} = [{names}][1 + rowid % {len(AWKWARD)}]")
    execute(copy, f"update journeys set path = [{names}] where touch_count > 0")
    tab = look(report.build(copy, FACTS))
    assert tab.troubles == []
    assert tab.evaluate("window.broken") is None
    assert {row[0] for row in table(tab, "credit")} <= {*AWKWARD, "(other)"}
    assert {row[0] for row in table(tab, "accounting")} <= set(AWKWARD)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1440
    csv = tab.evaluate("report.csv('credit')")
    assert "\r\n'=1+1," in csv
    assert '"it\'s ""quoted"" & \'so\'",' in csv or "quoted" not in csv


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_every_chart_is_drawn_and_nothing_is_asked_for(
    copy: Path, look: Any, width: int, colours: str
) -> None:
    page = report.build(copy, FACTS)
    tab = look(page, width, colours)
    assert tab.troubles == []
    assert tab.asked == [page.as_uri()]
    shown = tab.locator(".chart:not([hidden])").count()
    assert shown > len(CARDS) / 2
    tab.wait_for_function(
        "shown => document.querySelectorAll('.chart .main-svg:first-child').length >= shown",
        arg=shown,
    )
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.documentElement.dataset.theme") == colours


def test_tables_are_what_sql_says_and_filters_change_them(copy: Path, look: Any) -> None:
    tab = look(report.build(copy, FACTS))
    query = """
        select channel, sum(conversions), sum(revenue) from attribution_by_channel
        where attribution_model = '{}' and attribution_scope = '{}' and conversion_type = '{}'
        group by all having sum(conversions) > 0 order by channel
    """
    seen = []
    for model, scope, kind in (
        ("time_decay", "all", "order"),
        ("last_touch", "all", "order"),
        ("last_touch", "personalized", "order"),
        ("linear", "all", "sign_up"),
    ):
        choose(tab, "Model", model)
        choose(tab, "Touches", scope)
        choose(tab, "Conversion type", kind)
        rows = sorted(table(tab, "credit"))
        expected = execute(copy, query.format(model, scope, kind))
        assert [row[0] for row in rows] == [row[0] for row in expected]
        for ours, theirs in zip(rows, expected, strict=True):
            assert ours[1:] == pytest.approx(theirs[1:], abs=0.05)
        assert rows not in seen
        seen.append(rows)
    assert tab.troubles == []


def test_months_are_filtered(copy: Path, look: Any) -> None:
    tab = look(report.build(copy, FACTS))
    (month,) = execute(copy, "select strftime(max(converted_at), '%Y-%m') from conversions")[0]
    choose(tab, "From month", month)
    kind = tab.get_by_label("Conversion type", exact=True).input_value()
    expected = execute(
        copy,
        f"""
        select strftime(converted_at, '%Y-%m-%d'), count(*), sum(revenue)::double from conversions
        where conversion_type = '{kind}' and strftime(converted_at, '%Y-%m') = '{month}'
        group by 1 order by 1
        """,
    )
    assert [tuple(row) for row in table(tab, "daily")] == [pytest.approx(row) for row in expected]


def test_two_models_are_compared(copy: Path, look: Any) -> None:
    tab = look(report.build(copy, FACTS))
    tab.locator("#card-compare").get_by_label("Against").select_option("first_touch")
    kind = tab.get_by_label("Conversion type", exact=True).input_value()
    expected = {
        row[0]: row[1:]
        for row in execute(
            copy,
            f"""
            select channel, conversions, compared_conversions, percent_change / 100
            from attribution_model_comparison
            where
                attribution_model = 'time_decay' and compared_model = 'first_touch'
                and attribution_scope = 'all' and conversion_type = '{kind}'
            """,
        )
    }
    rows = table(tab, "compare")
    assert rows
    for channel, *numbers in rows:
        if channel != "(other)":
            assert numbers == pytest.approx(expected[channel], abs=0.02, rel=0.02)


def test_nothing_serious_keeps_people_out(copy: Path, look: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for colours in ("light", "dark"):
        tab = look(report.build(copy, FACTS), colours=colours)
        found = Axe().run(tab).response["violations"]
        serious = [
            (violation["id"], [node["html"][:120] for node in violation["nodes"][:3]])
            for violation in found
            if violation["impact"] in ("serious", "critical")
        ]
        assert serious == []
        shutil.rmtree(copy / report.FOLDER)


def test_the_theme_can_be_switched_by_keyboard(copy: Path, look: Any) -> None:
    tab = look(report.build(copy, FACTS), colours="light")
    tab.locator("#theme").focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.troubles == []


def test_the_report_is_served_to_this_machine_alone(small: Settings) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="there is no report"):
        reading.server(small, 0)
    publish.publish(Night(small, FACTS["run_id"]))
    with reading.server(small, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address, port = server.server_address[:2]
        assert address == "127.0.0.1"
        url = f"http://127.0.0.1:{port}/"
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == reading.find(small).read_bytes()
        for asked, host, status in (
            (url + "../../warehouse.duckdb", "127.0.0.1", 404),
            (url, "elsewhere.example", 403),
        ):
            request = urllib.request.Request(asked, headers={"Host": host})
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            assert refused.value.code == status
        server.shutdown()
