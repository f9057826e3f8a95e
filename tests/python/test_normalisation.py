"""Normalisation against libraries and by hand: telephone, e-mail, device, place, time, URL."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
import types
from collections.abc import Callable
from decimal import Decimal

import crawleruseragents
import duckdb
import jinja2
import phonenumbers
import pytest

from apportion import load, lookups, transform
from apportion.datasets import CLICK_IDS
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import connect

Query = Callable[[str], list[tuple]]


def rendered(call: str, **variables: object) -> str:
    """SQL of a macro call, rendered without dbt; `default__` macros stand for their dispatch."""
    files = ["macros/identity/canonical_phone.sql", "macros/identity/normalise_identifier.sql"]
    files += ["macros/events/is_internal.sql", "macros/segments/engine/demographic_sources.sql"]
    macros = "".join((PROJECT / file).read_text() for file in files)
    macros += (PROJECT / "macros" / "utils" / "engine_functions.sql").read_text()
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])

    def refuse(text: str) -> None:
        raise ValueError(text)

    environment.globals |= variables | {
        "var": variables.get,
        "return": lambda value: value,
        "modules": types.SimpleNamespace(re=re),
        "exceptions": types.SimpleNamespace(raise_compiler_error=refuse),
    }
    template = environment.from_string(macros)
    module = template.make_module({"adapter": None})
    environment.globals["adapter"] = types.SimpleNamespace(
        dispatch=lambda name: getattr(module, f"default__{name}")
    )
    return environment.from_string(macros + "{{ " + call + " }}").render()


def canonical(kind: str, texts: list[str | None], **variables: object) -> list[str | None]:
    sql = rendered(f"normalise_identifier('{kind}', 'text')", **variables)
    rows = duckdb.execute(f"select {sql} from (select unnest(?::varchar[]) as text)", [texts])
    return [value for (value,) in rows.fetchall()]


# Where a national number needs more than its trunk prefix taken off: mobile ones there are written
# with 15 within, and here the trunk prefix has two digits of which the library strips either.
INTRICATE = {"AR", "BY"}


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_number_is_the_same_however_it_is_written(region: str) -> None:
    """Each way of writing a region's example numbers gives the digits of the library's E.164."""
    written, expected = [], []
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        formats = phonenumbers.PhoneNumberFormat
        e164 = phonenumbers.format_number(number, formats.E164)
        international = phonenumbers.format_number(number, formats.INTERNATIONAL)
        ways = [
            e164,
            international,
            "00" + e164[1:],
            f"  {international} ",
            f"{international} ext. 12",
            f"tel:{e164};ext=12",
            phonenumbers.format_number(number, formats.RFC3966),
        ]
        if region not in INTRICATE:
            ways.append(phonenumbers.format_number(number, formats.NATIONAL))
        written += ways
        expected += [e164[1:]] * len(ways)
    assert canonical("phone", written, default_phone_region=region) == expected


def test_phone_numbers_by_hand() -> None:
    texts = [
        "+44 (0)20 7946 0958", "0044 20 7946 0958", "020 7946 0958", "442079460958", "ext", "", None
    ]  # fmt: skip
    london = "442079460958"
    assert canonical("phone", texts, default_phone_region="GB") == [london] * 4 + [None] * 3
    # Without a region nothing is assumed of a number that does not say where it is.
    assert canonical("phone", texts, default_phone_region=None) == [
        london, london, "02079460958", london, None, None, None
    ]  # fmt: skip
    assert canonical("phone", ["(212) 555-0142", "1-212-555-0142"], default_phone_region="US") == [
        "12125550142", "12125550142"
    ]  # fmt: skip


def test_email_by_hand() -> None:
    texts = [
        " Ann@Shop.example ", "mailto:ann@shop.example", "Ann Lee <ann@shop.example>", " ", None
    ]  # fmt: skip
    assert canonical("email", texts) == ["ann@shop.example"] * 3 + [None] * 2


IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
IPHONE += " Gecko) Version/18.4 Mobile/15E148 Safari/604.1"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME += " Chrome/142.0.0.0 Safari/537.36"
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko)"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

AGENTS = [
    (CHROME, ("desktop", "Chrome", "Windows", False)),
    (IPHONE, ("mobile", "Mobile Safari", "iOS", False)),
    (IPHONE.replace("iPhone;", "iPad;"), ("tablet", "Mobile Safari", "iOS", False)),
    (f"{ANDROID} Chrome/142.0.0.0 Mobile Safari/537.36",
     ("mobile", "Chrome Mobile", "Android", False)),
    (f"{ANDROID} Chrome/142.0.0.0 Safari/537.36", ("tablet", "Chrome", "Android", False)),
    ("ShopApp/5.2 (Android 15; Pixel 9)", ("mobile", "Android", "Android", False)),
    ("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79"
     " Safari/537.36", ("tv", "Safari", "Web0S", False)),
    ("Mozilla/5.0 (PlayStation 5) AppleWebKit", ("console", None, None, False)),
    (GOOGLEBOT, (None, "Googlebot", None, True)),
    ("curl/8.0", (None, "curl", None, True)),
    ("nonsense", (None, None, None, False)),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "expected"), AGENTS)
def test_agents_by_hand(agent: str, expected: tuple) -> None:
    assert lookups.describe_agent(agent) == expected


def test_crawlers_are_those_of_the_list() -> None:
    """The patterns in one pass find what the list's own function finds, one by one."""
    agents = [agent for agent, _ in AGENTS]
    for known in crawleruseragents.CRAWLER_USER_AGENTS_DATA:
        agents += known.get("instances", [])
    assert len(agents) > 1000
    crawlers = lookups._crawlers()
    assert [crawlers.parse_user_agent(agent) is not None for agent in agents] == [
        crawleruseragents.is_crawler(agent) for agent in agents
    ]


PLACES = [
    (("Germany", "Bayern"), ("DE", "BY")),
    (("deu", "de-by"), ("DE", "BY")),
    (("usa", "California"), ("US", "CA")),
    (("United States", "NY"), ("US", "NY")),
    (("Österreich", "wien"), ("AT", "9")),
    (("uk", "Scotland"), ("GB", "SCT")),
    (("France", "Ile-de-France"), ("FR", "IDF")),
    (("South Korea", ""), ("KR", None)),
    (("", "US-NY"), ("US", "NY")),
    (("", "NY"), (None, None)),
    (("DE", "California"), ("DE", None)),
    (("Atlantis", "North"), (None, None)),
]


@pytest.mark.parametrize(("place", "codes"), PLACES)
def test_places_by_hand(place: tuple[str, str], codes: tuple) -> None:
    assert lookups.locate(*place) == codes


EVENTS = [
    # Epochs of every unit, and a zone.
    {"event_id": "seconds", "occurred_at": 1767261600},
    {"event_id": "milliseconds", "occurred_at": 1767261600000},
    {"event_id": "microseconds", "occurred_at": 1767261600000000},
    {"event_id": "nanoseconds", "occurred_at": 1767261600000000000},
    {"event_id": "zone", "occurred_at": "2026-01-01T11:00:00+01:00"},
    # Tags and click ids of the landing page.
    {"event_id": "tags", "page_url": "https://shop.example/?utm_source=Goo%67le&utm_medium=cpc"
     "&utm_campaign=sp%C3%A4t+sale&x=1#utm_content=no"},
    {"event_id": "tagged", "utm_source": "bing", "page_url": "https://shop.example/?utm_medium=cpc"},
    {"event_id": "no UTF-8", "page_url": "https://shop.example/?utm_source=%C3%28"},
    {"event_id": "in the path", "page_url": "https://shop.example/utm_source=x"},
    {"event_id": "click in URL", "page_url": "https://shop.example/?a=1&ScCid=7", "click_id": "7"},
    {"event_id": "empty click", "page_url": "https://shop.example/?gclid=&x=1"},
    {"event_id": "click column", "fbclid": "f", "page_url": "https://shop.example/?gclid=1"},
    {"event_id": "click id", "click_id": "f"},
    # Its own site does not refer.
    {"event_id": "own", "page_url": "https://www.shop.example:443/a", "referrer_url":
     "https://shop.example?x=1"},
    {"event_id": "other", "page_url": "https://shop.example", "referrer_url":
     "https://News.Example/shop.example"},
    {"event_id": "agent", "user_agent": IPHONE, "country": "germany", "region": "Bavaria"},
    {"event_id": "said", "user_agent": IPHONE, "device_type": " Desktop ", "country": "usa",
     "region": "texas"},
]  # fmt: skip


# The rate of the 2nd holds up to the 9th; what has none waits.
AMOUNTS = {
    ("EUR", "2026-01-01T23:59:59"): None,
    ("EUR", "2026-01-02T00:00:00"): Decimal("11"),
    ("eur ", "2026-01-09T23:59:59"): Decimal("11"),
    ("EUR", "2026-01-10T00:00:00"): None,
    ("USD", "2026-01-10T00:00:00"): Decimal("10"),
    ("XTS", "2026-01-03T00:00:00"): None,
}


def build(settings: Settings) -> None:
    night = Night(settings)
    load.load(night)
    transform.build(night, "staging")
    transform.build(night, "intermediate")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("normalisation")
    common = {"event_name": "page", "user_id": "u", "occurred_at": "2026-01-01T12:00:00"}
    for dataset, rows in {
        "events": [common | event for event in EVENTS],
        "orders": [
            {"order_id": f"{currency} {at}", "ordered_at": at, "revenue": 10, "currency": currency}
            for currency, at in AMOUNTS
        ],
        "exchange_rates": [{"date": "2026-01-02", "currency": "EUR", "rate_to_usd": "1.1"}],
    }.items():
        path = folder / "landing" / dataset / "a.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = Settings.resolve(folder / "data", folder / "landing")
    build(settings)
    return settings


@pytest.fixture
def query(world: Settings) -> Query:
    def run(sql: str) -> list[tuple]:
        with connect(world.warehouse, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return run


def found(query: Query, columns: str, *ids: str) -> list[tuple]:
    """Columns of events, in the order of the ids."""
    rows = query(f"select event_id, {columns} from intermediate.int_events__deduplicated")
    by_id = {row[0]: row[1:] for row in rows}
    return [by_id[one] for one in ids]


def test_times_of_every_unit(query: Query) -> None:
    units = ("seconds", "milliseconds", "microseconds", "nanoseconds", "zone")
    ten = dt.datetime(2026, 1, 1, 10)
    assert found(query, "occurred_at", *units) == [(ten,)] * 5


def test_tags_of_the_landing_page(query: Query) -> None:
    columns = "origin_source, origin_medium, origin_campaign"
    ids = ("tags", "tagged", "no UTF-8", "in the path")
    assert found(query, columns, *ids) == [
        ("google", "cpc", "spät sale"),
        ("bing", None, None),
        ("%c3%28", None, None),
        (None, None, None),
    ]
    assert found(query, "campaign_id, content_id, page_path", "tags") == [
        ("spät sale", None, "https://shop.example/")
    ]


def test_click_ids_name_their_platform(query: Query) -> None:
    ids = ("click in URL", "empty click", "click column", "click id")
    assert found(query, "click_id_kind", *ids) == [("sccid",), (None,), ("fbclid",), ("click",)]
    listed = (PROJECT / "macros" / "events" / "click_ids.sql").read_text()
    assert [name for name in CLICK_IDS.split() if f"'{name}'" not in listed] == []
    assert listed.count("'") == 2 * len(CLICK_IDS.split())


def test_a_site_does_not_refer_to_itself(query: Query) -> None:
    assert found(query, "referrer_host", "own", "other") == [(None,), ("news.example",)]


def test_devices_and_places(query: Query) -> None:
    columns = "device_type, browser, operating_system, country, region"
    assert found(query, columns, "agent", "said") == [
        ("mobile", "Mobile Safari", "iOS", "DE", "Bavaria"),
        ("desktop", "Mobile Safari", "iOS", "US", "TX"),
    ]


def test_a_rate_is_carried_on_for_seven_days(query: Query) -> None:
    orders = dict(query("select order_id, revenue from intermediate.int_conversions__orders"))
    expected = {f"{currency} {at}": value for (currency, at), value in AMOUNTS.items()}
    assert {key: orders[key] for key in expected} == expected
    waiting = query("select source_key from intermediate.int_conversions__without_rate")
    assert {key for (key,) in waiting} == {key for key in expected if expected[key] is None}
    counted = query("select order_id from intermediate.int_conversions__valued")
    assert {key for (key,) in counted} == {key for key in expected if expected[key] is not None}


def test_each_text_is_looked_up_once(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events have one agent; an upgrade looks up what has landed, and nothing else does."""
    asked: list[tuple] = []

    def spy(*key: str) -> tuple:
        asked.append(key)
        return (None, None, None, False) if len(key) == 1 else (None, None)

    for lookup in lookups.LOOKUPS.values():
        monkeypatch.setitem(lookup.__dict__, "find", spy)
    with connect(world.warehouse) as connection:
        known = connection.execute("from raw._user_agents").fetchall()
        assert known == [(IPHONE, "mobile", "Mobile Safari", "iOS", False)]
        lookups.prepare(connection)
        assert not asked
        monkeypatch.setattr(lookups, "_RULES", "another")
        lookups.prepare(connection)
        keys = [(IPHONE,), ("germany", "Bavaria"), ("usa", "texas")]
        assert sorted(asked) == sorted(keys)
        monkeypatch.undo()
        lookups.prepare(connection)
        assert connection.execute("from raw._user_agents").fetchall() == known


def test_gender_is_one_of_three_words_however_it_is_written() -> None:
    written = ["f", " Female", "WOMAN", "M", "male ", "man", "x", "", "Unknown", "none", None]
    sql = rendered("gender_of('text')")
    rows = duckdb.execute(f"select {sql} from (select unnest(?::varchar[]) as text)", [written])
    expected = ["female"] * 3 + ["male"] * 3 + ["other gender"] + [None] * 4
    assert [value for (value,) in rows.fetchall()] == expected


def test_sources_of_demographics_are_in_order_with_how_long_they_count() -> None:
    sources = rendered(
        "demographic_sources()",
        demographic_sources=["Third Party", "crm", "survey"],
        demographic_fresh_days={"Third Party": 1.5, "survey": None},
    )
    assert ast.literal_eval(sources) == [
        {"name": "third_party", "fresh_us": 129600000000},
        {"name": "crm", "fresh_us": None},
        {"name": "survey", "fresh_us": None},
    ]


@pytest.mark.parametrize(
    ("sources", "fresh_days", "told"),
    [
        ("survey", {}, "demographic_sources is a list of sources"),
        ([], {}, "demographic_sources is a list of sources"),
        (["survey"], 365, "demographic_fresh_days is a number of days per source, not 365"),
        (["crm"], {"crm": 365}, "CRM records have no history"),
        (["crm"], {"survey": 365}, "names survey, which is not in demographic_sources"),
        (["survey"], {"survey": 0}, "above 0, or null for ever, not 0"),
        (["survey"], {"survey": "a year"}, "above 0, or null for ever, not a year"),
    ],
)
def test_sources_of_demographics_that_say_nothing_are_wrong(
    sources: object, fresh_days: object, told: str
) -> None:
    with pytest.raises(ValueError, match=told) as error:
        rendered(
            "demographic_sources()", demographic_sources=sources, demographic_fresh_days=fresh_days
        )
    assert "run the night again" in str(error.value)
