"""The report: what it says is what SQL says, in a real browser, whatever the data is called."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from apportion import report
from apportion.errors import UsageError
from apportion.report import reading
from apportion.report.contents import CARDS, DATASETS, PAGES
from apportion.settings import Settings

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: chromium)")

FACTS = {
    "run_id": "20260131T020000Z",
    "as_of": "2026-01-31T00:00:00",
    "published_at": "2026-01-31T02:10:00+00:00",
    "gates": [{"stage": "marts", "check": "a", "severity": "critical", "success": True}],
    "settings": {
        "reporting_currency": "EUR",
        "default_attribution_model": "linear",
        "min_segment_size": 2,
    },
}
HOSTILE = [
    "<script>window.ran = true</script>",
    "<img src=x onerror='window.ran = true'>",
    """it's a "name" & <b>bold</b>""",
    "</script><script>window.ran = true</script>",
    "قناة البريد الإلكتروني",
    "=cmd()|'calc'",
    "long " * 60,
    "javascript:window.ran = true",
]
CREDITED = (
    "attribution_model varchar, attribution_scope varchar, conversion_type varchar,"
    " converted_date date, {} varchar, conversions double, revenue double, clv double"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def published(small_night: Settings) -> Path:
    return small_night.published.resolve()


def version(folder: Path, *statements: str) -> Path:
    """A version folder with a report over the tables that the statements make."""
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "apportion.duckdb")) as connection:
        connection.execute("create schema marts; use marts")
        for statement in statements:
            connection.execute(statement)
    report.build(folder, FACTS)
    return folder


def emptied(published: Path) -> list[str]:
    """Every table of a published file, without rows."""
    source = published / "apportion.duckdb"
    with duckdb.connect(str(source), read_only=True) as connection:
        statements = connection.execute(
            "select sql from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
    return [statement.replace("marts.", "", 1) for (statement,) in statements]


class Reader:
    """One open report, with all that went wrong in it."""

    def __init__(self, browser: object, folder: Path, width: int = 1440, theme: str = "light"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme
        )
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto((folder / report.FOLDER / report.INDEX).as_uri())
        self.page.wait_for_selector("html[data-ready=true]", timeout=30_000)

    def open(self, name: str) -> None:
        self.page.evaluate(f"location.hash = '#{name}'")
        self.page.wait_for_selector(f"#{name}:not([hidden])")
        self.page.wait_for_timeout(100)

    def choose(self, page: str, filter_name: str, value: str) -> None:
        self.page.select_option(f"#{page} select[name='{filter_name}']", value)

    def table(self, card: str) -> list[list[str]]:
        return self.page.evaluate(
            """card => [...document.querySelectorAll(`#card-${card} tbody tr`)]
                .map(row => [...row.cells].map(cell => cell.textContent))""",
            card,
        )

    def text(self, selector: str) -> str:
        return self.page.text_content(selector)

    def close(self) -> None:
        self.context.close()


def test_the_night_publishes_a_small_page_that_asks_nobody(published: Path) -> None:
    folder = published / report.FOLDER
    assert sorted(path.name for path in folder.iterdir()) == [report.INDEX, report.PLOTLY]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 6e6
    page = (folder / report.INDEX).read_text()
    asked = re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)([^"']+)""", page)
    assert sorted(asked) == ["../data_docs/index.html", report.PLOTLY]
    assert (published / "data_docs" / "index.html").is_file()
    assert "connect-src" not in page and "default-src 'none'" in page


def test_no_dataset_asks_for_columns_that_the_tables_do_not_have(published: Path) -> None:
    with duckdb.connect(str(published / "apportion.duckdb"), read_only=True) as connection:
        connection.execute("use marts")
        tables = report._tables(connection)
        variables = {
            "default_model": "time_decay",
            "min_people": 1,
            "as_of": dt.datetime(2026, 1, 31),
        }
        for dataset in DATASETS:
            if set(dataset.tables) <= tables:
                read = report._read(connection, dataset, tables, variables)
                assert "cannot be shown" not in read["missing"], read["missing"]
                for card in (card for card in CARDS if card.dataset == dataset.name):
                    ratios = [part for ratio in card.ratios.values() for part in ratio[:2]]
                    values = [name for name in card.values if name not in card.ratios]
                    asked = {*card.by, *values, *card.shown, *ratios}
                    asked -= set(card.ratios)
                    assert asked <= set(read["columns"]), card.name


def test_a_column_that_is_gone_is_said_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with duckdb.connect() as connection, caplog.at_level("WARNING", logger="apportion"):
        connection.execute("create schema marts; use marts; create table conversions (a int)")
        dataset = next(one for one in DATASETS if one.name == "daily")
        read = report._read(connection, dataset, {"conversions"}, {})
    assert read["rows"] == 0
    assert "conversions" in read["missing"] and "not found" in read["missing"]


@needs_browser
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_drawn_and_usable(
    browser: object, published: Path, width: int, theme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    reader = Reader(browser, published, width, theme)
    for page in PAGES:
        reader.open(page)
        undrawn, overflow = reader.page.evaluate(
            """page => [
                [...document.querySelectorAll(`#${page} .card`)].filter(card =>
                    !card.querySelector(".chart").hidden && !card.querySelector(".main-svg")
                ).map(card => card.id),
                document.documentElement.scrollWidth - window.innerWidth,
            ]""",
            page,
        )
        assert undrawn == []
        assert overflow <= 0, page
        silent = reader.page.evaluate(
            """page => [...document.querySelectorAll(`#${page} .card .sentence`)]
                .filter(sentence => !/\\S/.test(sentence.textContent)
                    || /undefined|NaN|null/.test(sentence.textContent))
                .map(sentence => sentence.textContent)""",
            page,
        )
        assert silent == []
        grave = [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in Axe().run(reader.page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert grave == [], page
    assert reader.errors == []
    assert {url.split(":")[0] for url in reader.requests} <= {"file", "data", "blob"}
    reader.close()


@needs_browser
def test_tables_say_what_sql_says_also_after_filtering(browser: object, published: Path) -> None:
    reader = Reader(browser, published)
    with duckdb.connect(str(published / "apportion.duckdb"), read_only=True) as connection:
        kinds = connection.execute(
            "select conversion_type from marts.conversions group by all"
            " order by sum(revenue) desc, count(*) desc limit 1"
        ).fetchone()
        for model, value, digits in (
            ("time_decay", "conversions", 1),
            ("first_touch", "revenue", 2),
        ):
            reader.choose("overview", "attribution_model", f"={model}")
            reader.choose("overview", "value", value)
            expected = connection.execute(
                f"""
                select channel, sum({value}) as amount
                from marts.attribution_by_channel
                where
                    attribution_scope = 'all' and attribution_model = ? and conversion_type = ?
                group by channel
                having sum(conversions) > 0 or sum(revenue) <> 0
                order by amount desc
                """,
                [model, *kinds],
            ).fetchall()
            assert len(expected) > 1
            place = 1 if value == "conversions" else 2
            shown = {row[0]: row[place] for row in reader.table("credit")}
            assert set(shown) == {channel for channel, _ in expected}
            for channel, amount in expected:
                exact = float(shown[channel].replace(",", ""))
                assert exact == pytest.approx(amount, abs=0.6 * 10**-digits)
            assert expected[0][0] in reader.text("#card-credit .sentence") or expected[0][0] in (
                "unattributed",
                "(other)",
            )
    reader.close()


@needs_browser
def test_a_bar_leads_into_what_is_within_it(browser: object, published: Path) -> None:
    reader = Reader(browser, published)
    reader.open("models")
    everything = reader.table("campaigns")
    bars = reader.page.locator("#card-channels .nsewdrag")
    height = bars.bounding_box()["height"]
    channels = [row[0] for row in reader.table("channels")]
    for choice in ("=" + channels[0], ""):
        # The largest is on top.
        bars.hover(position={"x": 8, "y": 0.5 * height / len(channels)}, force=True)
        reader.page.wait_for_timeout(300)
        bars.click(position={"x": 8, "y": 0.5 * height / len(channels)}, force=True)
        assert reader.page.input_value("#models .filters select[name=channel]") == choice
        with duckdb.connect(str(published / "apportion.duckdb"), read_only=True) as connection:
            expected = connection.execute(
                """
                select
                    case when touchpoint_id is null then 'unattributed'
                    else coalesce(campaign_id, '(none)') end as campaign,
                    sum(credit)
                from marts.attribution_credits
                where
                    attribution_model = 'time_decay' and attribution_scope = 'all'
                    and conversion_type = 'order' and (? = '' or '=' || channel = ?)
                group by campaign
                having sum(credit) > 0 or sum(credited_revenue) <> 0
                """,
                [choice, choice],
            ).fetchall()
        shown = {row[0]: float(row[1].replace(",", "")) for row in reader.table("campaigns")}
        assert shown == {name: pytest.approx(credit, abs=0.06) for name, credit in expected}
        assert [len(shown) < len(everything), choice == ""].count(True) == 1
    reader.close()


@needs_browser
def test_lift_and_its_interval_are_those_of_the_formula(browser: object, tmp_path: Path) -> None:
    # 200 journeys of one segment: 40 of 100 with the tactic convert, 20 of 100 without.
    # 0.4 / 0.2 - 1 = 100 %; error of the log: sqrt(1/40 - 1/100 + 1/20 - 1/100) = 0.2345;
    # 2 exp(-1.96 x 0.2345) - 1 = 26.3 %, 2 exp(1.96 x 0.2345) - 1 = 216.7 %.
    folder = version(
        tmp_path / "lift",
        """
        create table journeys as
        select 'j' || i as journey_id, 'u' || i as user_key, 'order' as conversion_type,
            case when i < 100 then i < 40 else i < 120 end as is_converted
        from range(200) as numbers (i)
        """,
        """
        create table journey_touchpoints as
        select 'j' || i as journey_id, 't' || i as touchpoint_id, 'new' as segment_rfm,
            1 as touch_number, 1 as touch_count
        from range(200) as numbers (i)
        """,
        """
        create table touchpoints as
        select 't' || i as touchpoint_id, i < 100 as is_personalized,
            case when i < 100 then 'offer' else 'none' end as tactic
        from range(200) as numbers (i)
        """,
    )
    reader = Reader(browser, folder)
    reader.open("personalization")
    (row,) = reader.table("tactic_lift")
    assert row == ["new", "offer", "100 %", "26.3 %", "216.7 %", "100", "40 %", "100", "20 %"]
    assert "1 of 1 differences" in reader.text("#card-tactic_lift .sentence")
    reader.close()


@needs_browser
def test_hostile_names_are_text_and_nothing_else(browser: object, tmp_path: Path) -> None:
    rows = [
        (model, scope, "order", dt.date(2026, 1, 1 + place % 28), name, 10.0 + place, 5.0, 0.0)
        for model in ("linear", "first_touch")
        for scope in ("all", "personalized")
        for place, name in enumerate(HOSTILE)
    ]
    folder = tmp_path / "hostile"
    folder.mkdir()
    with duckdb.connect(str(folder / "apportion.duckdb")) as connection:
        connection.execute("create schema marts; use marts")
        for table, column in (
            ("channel", "channel"),
            ("content", "content_id"),
            ("tactic", "tactic"),
        ):
            columns = CREDITED.format(column)
            connection.execute(f"create table attribution_by_{table} ({columns})")
            connection.executemany(
                f"insert into attribution_by_{table} values (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
        connection.execute(
            "create table attribution_credits as select attribution_model, attribution_scope,"
            " conversion_type, 't' as touchpoint_id, channel, channel as campaign_id,"
            " channel as content_id, channel as tactic, converted_date::timestamp as converted_at,"
            " conversions as credit, revenue as credited_revenue from attribution_by_channel"
        )
        connection.execute(
            "create table conversions as select 'order' as conversion_type, 1.0 as revenue,"
            " timestamp '2026-01-05' as converted_at"
        )
    report.build(folder, FACTS)
    reader = Reader(browser, folder, width=360)
    for page in PAGES:
        reader.open(page)
    assert reader.page.evaluate("window.ran") is None
    assert reader.errors == []
    assert (
        reader.page.evaluate("document.querySelectorAll('main img, main b, main script').length")
        == 0
    )
    assert {row[0] for row in reader.table("credit")} == set(HOSTILE)
    # The axis shows the markup of a name as text, too.
    reader.open("models")
    ticks = reader.page.evaluate(
        "[...document.querySelectorAll('#card-campaigns .ytick')].map(tick => tick.textContent)"
    )
    assert any("<img s" in tick for tick in ticks)
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 360
    reader.open("overview")
    reader.page.click("#card-credit summary")
    with reader.page.expect_download() as told:
        reader.page.click("#card-credit .download")
    csv = Path(told.value.path()).read_text(encoding="utf-8-sig")
    assert "'=cmd()|'calc'" in csv
    assert '"it\'s a ""name"" & <b>bold</b>"' in csv
    reader.close()


@needs_browser
def test_empty_tables_and_missing_tables_say_what_is_missing(
    browser: object, published: Path, tmp_path: Path
) -> None:
    for name, statements in (("empty", emptied(published)), ("none", [])):
        reader = Reader(browser, version(tmp_path / name, *statements))
        for page in PAGES:
            reader.open(page)
        says = reader.page.evaluate(
            "[...document.querySelectorAll('.card .sentence')].map(says => says.textContent)"
        )
        assert len(says) == len(CARDS)
        assert all(says), name
        assert reader.errors == []
        if name == "none":
            assert all("has no table" in sentence for sentence in says)
        else:
            assert any("No spend data" in sentence for sentence in says)
        reader.close()


@needs_browser
def test_one_conversion_and_ten_thousand_campaigns_open(browser: object, tmp_path: Path) -> None:
    folder = version(
        tmp_path / "many",
        """
        create table attribution_credits as
        select
            'linear' as attribution_model, 'all' as attribution_scope, 'order' as conversion_type,
            't' || i as touchpoint_id, 'email' as channel, 'campaign ' || i as campaign_id,
            null::varchar as content_id, null::varchar as tactic,
            timestamp '2026-01-01' as converted_at, 1 + i / 1e4 as credit, 2e0 as credited_revenue
        from range(10000) as numbers (i)
        """,
        """
        create table conversions as
        select 'order' as conversion_type, 1.0 as revenue, timestamp '2026-01-05' as converted_at
        """,
    )
    reader = Reader(browser, folder)
    assert "1 conversions from 2026-01-05 to 2026-01-05" in reader.text("#card-daily .sentence")
    assert "too few conversions" in reader.text(".findings")
    reader.open("models")
    shown = {row[0]: float(row[1].replace(",", "")) for row in reader.table("campaigns")}
    assert len(shown) == 13
    assert sum(shown.values()) == pytest.approx(14999.5, abs=1)
    assert shown["campaign 9999"] == pytest.approx(2.0, abs=0.05)
    assert (folder / report.FOLDER / report.INDEX).stat().st_size < 300_000
    reader.close()


def test_it_is_served_on_the_loopback_address_alone(tmp_path: Path) -> None:
    folder = version(tmp_path / "served")
    page = folder / report.FOLDER / report.INDEX
    with reading.server(page, 0) as serving:
        address, port = serving.server_address[:2]
        assert address == "127.0.0.1"
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read() == page.read_bytes()
        with pytest.raises(UsageError, match=str(port)):
            reading.server(page, port)
        serving.shutdown()
        thread.join()


@needs_browser
def test_on_paper_are_all_pages_and_what_the_filters_chose(
    browser: object, published: Path
) -> None:
    page = Reader(browser, published).page
    assert page.locator("section.page:visible").count() == 1
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("section.page:visible").count() == len(PAGES)
    chosen = page.locator("#models .chosen")
    assert chosen.is_visible()
    assert "Model: time_decay · Scope: all · Conversion type: order" in chosen.inner_text()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("section.page:visible").count() == 1
    assert not page.locator("#overview .chosen").is_visible()


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        (dt.datetime(2026, 2, 1), ["2026-01-01", "2026-02-01"]),
        (dt.datetime(2026, 2, 2), ["2026-01-01", "2026-02-02"]),
        (dt.datetime(2026, 2, 15), ["2026-01-01", "2026-02-01", "2026-02-15"]),
    ],
)
def test_sizes_count_a_person_once_a_month(as_of: dt.datetime, days: list[str]) -> None:
    """Also where the night's moment is the end of a month, or just after it."""
    sizes = next(dataset for dataset in DATASETS if dataset.name == "sizes")
    with duckdb.connect() as connection:
        connection.execute(
            "create table segment_memberships as select 'ada' as user_key, 'rfm' as segment_family,"
            " 'champions' as segment, timestamp '2025-12-05' as valid_from,"
            " null::timestamp as valid_to"
        )
        rows = connection.execute(sizes.query, {"as_of": as_of}).fetchall()
    assert rows == [("rfm", "champions", day, 1) for day in days]


def test_without_a_version_the_command_says_what_to_do(apportion: object, tmp_path: Path) -> None:
    result = apportion("report", "--data", tmp_path)
    assert result.returncode == 2
    assert "there is no report" in result.stderr
    assert "apportion run" in result.stderr


def test_the_same_file_makes_the_same_page(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        folder = version(tmp_path / name, "create table conversions (conversion_type varchar)")
        pages.append((folder / report.FOLDER / report.INDEX).read_bytes())
    assert pages[0] == pages[1]
    assert json.dumps(FACTS["settings"]["reporting_currency"]).strip('"') in pages[0].decode()
