"""What libraries know of texts: the device of a user agent, the code of a country and region.

Each distinct text is looked up once, when it first lands, and kept in a table of raw that SQL
joins; so the cost follows the number of distinct texts and not of rows. A new version of a library
looks all of them up again.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import duckdb

from apportion.warehouse import identifier

if TYPE_CHECKING:
    from ua_parser import Parser

# To be raised when the rules of this module change.
_RULES = "1"


@dataclass(frozen=True)
class Lookup:
    """One table of texts with what is known of them.

    Attributes:
        keys: its key columns, texts; a missing text is an empty one.
        values: its other columns, with their SQL types.
        packages: the packages that know; their versions are kept with the table.
        find: the values of one key.
        sources: per dataset, the SQL of the keys in its rows; several where it has several.
    """

    keys: tuple[str, ...]
    values: Mapping[str, str]
    packages: tuple[str, ...]
    find: Callable[..., tuple]
    sources: Mapping[str, tuple[tuple[str, ...], ...]]

    @property
    def version(self) -> str:
        """What the values follow from, besides the keys."""
        return " ".join([_RULES, *(f"{name}=={version(name)}" for name in self.packages)])


def describe_agent(user_agent: str) -> tuple[str | None, str | None, str | None, bool]:
    """Kind of device, browser, operating system, and whether it is a crawler.

    Kinds: desktop, mobile, tablet, tv, console, watch; None where the text does not tell.
    """
    parsed = _agents().parse(user_agent)
    browser = parsed.user_agent.family if parsed.user_agent else None
    system = parsed.os.family if parsed.os else None
    device = parsed.device.family if parsed.device else ""
    is_bot = device == "Spider" or _crawlers().parse_user_agent(user_agent) is not None
    return _kind(user_agent, system or "", device), browser, system, is_bot


def _kind(user_agent: str, system: str, device: str) -> str | None:
    if device == "Spider":
        return None
    if re.search(r"PlayStation|Xbox|Nintendo", user_agent):
        return "console"
    television = (
        r"\bTV\b|SmartTV|SMART-TV|AppleTV|GoogleTV|BRAVIA|Web0S|HbbTV|\bAFT[A-Z]|CrKey|Roku"
    )
    if system in ("tvOS", "Roku", "Chromecast") or re.search(television, user_agent):
        return "tv"
    if system in ("watchOS", "Wear OS") or "Watch" in device:
        return "watch"
    if device == "iPad" or re.search(r"\biPad|Tablet|Kindle|Silk/", user_agent):
        return "tablet"
    if system == "Android":
        # Browsers of telephones say Mobile, those of tablets do not; apps name themselves.
        is_browser = user_agent.startswith("Mozilla/")
        return "tablet" if is_browser and "Mobile" not in user_agent else "mobile"
    mobile = ("iOS", "Windows Phone", "BlackBerry OS", "KaiOS", "Symbian OS", "Firefox OS")
    if system in mobile or re.search(r"\bMobile\b|iPhone", user_agent):
        return "mobile"
    desktop = ("Windows", "Mac OS X", "Linux", "Ubuntu", "Chrome OS", "Fedora", "Debian")
    return "desktop" if system in desktop else None


@functools.cache
def _agents() -> Parser:
    from ua_parser import Parser, loaders, regex

    return Parser(regex.Resolver(loaders.load_lazy_builtins()))


@functools.cache
def _crawlers() -> Parser:
    """A parser that knows crawlers only: all patterns are tried in one pass."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA
    from ua_parser import Parser, regex
    from ua_parser.matchers import UserAgentMatcher

    patterns = [UserAgentMatcher(known["pattern"], "crawler") for known in CRAWLER_USER_AGENTS_DATA]
    return Parser(regex.Resolver((patterns, [], [])))


# What people write and the standard does not have.
_COUNTRIES = {
    "uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB",
    "great britain": "GB", "u.s.": "US", "u.s.a.": "US", "america": "US", "holland": "NL",
    "russia": "RU", "turkey": "TR", "czech republic": "CZ", "ivory coast": "CI", "burma": "MM",
    "macau": "MO", "cape verde": "CV", "swaziland": "SZ", "vatican": "VA", "palestine": "PS",
    "south korea": "KR", "north korea": "KP", "korea": "KR", "kosovo": "XK", "brunei": "BN",
    "macedonia": "MK", "east timor": "TL", "congo": "CG", "deutschland": "DE", "osterreich": "AT",
}  # fmt: skip


def locate(country: str, region: str) -> tuple[str | None, str | None]:
    """ISO 3166-1 alpha-2 code of a country, and ISO 3166-2 code of a region within it.

    The code of a region is given without that of its country; None: the text is not known.
    """
    regions = _regions()
    name = _plain(region)
    country_code = _country_codes().get(_plain(country))
    if not country and name in regions[""]:
        country_code = regions[""][name]
    return country_code, regions.get(country_code, {}).get(name)


def _plain(text: str) -> str:
    """Lower case, without accents, single spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


@functools.cache
def _country_codes() -> dict[str, str]:
    from pycountry import countries

    names = dict(_COUNTRIES)
    for country in countries:
        for attribute in ("alpha_2", "alpha_3", "name", "official_name", "common_name"):
            if text := getattr(country, attribute, None):
                names[_plain(text)] = country.alpha_2
    return names


@functools.cache
def _regions() -> dict[str, dict[str, str]]:
    """Code by plain name, code or whole code, per country; under '', country by whole code."""
    from pycountry import subdivisions

    codes: dict[str, dict[str, str]] = {"": {}}
    # Of equal names the larger division, which has no parent, counts; then the first code.
    ordered = sorted(subdivisions, key=lambda one: (one.parent_code is not None, one.code))
    for division in ordered:
        code = division.code.split("-", 1)[1]
        names = codes.setdefault(division.country_code, {})
        for text in (division.code, code):
            names[_plain(text)] = code
        codes[""][_plain(division.code)] = division.country_code
    for division in ordered:
        names = codes[division.country_code]
        for text in re.split(r"[;/\[\]]", division.name):
            names.setdefault(_plain(text), division.code.split("-", 1)[1])
    return codes


_PLACE = ("country", "region")
LOOKUPS = {
    "_user_agents": Lookup(
        ("user_agent",),
        {
            "device_type": "varchar",
            "browser": "varchar",
            "operating_system": "varchar",
            "is_bot": "boolean",
        },
        ("ua-parser", "ua-parser-builtins", "ua-parser-rs", "crawler-user-agents"),
        describe_agent,
        {
            "events": (("user_agent",),),
            "segment": (("json_extract_string(context, '$.userAgent')",),),
        },
    ),
    "_places": Lookup(
        _PLACE,
        {"country_code": "varchar", "region_code": "varchar"},
        ("pycountry",),
        locate,
        {
            "events": (_PLACE,),
            "contacts": (_PLACE,),
            "profile_attributes": (
                ("case when lower(trim(attribute)) = 'country' then trim(value) end", "null"),
            ),
            "segment": (
                tuple(f"json_extract_string(context, '$.location.{name}')" for name in _PLACE),
                (
                    "json_extract_string(traits, '$.address.country')",
                    "json_extract_string(traits, '$.address.state')",
                ),
                (
                    "json_extract_string(context, '$.traits.address.country')",
                    "json_extract_string(context, '$.traits.address.state')",
                ),
            ),
            "ga4": (tuple(f"json_extract_string(geo, '$.{name}')" for name in _PLACE),),
        },
    ),
}
"""The tables of raw that this module keeps, by name."""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables that are missing, and look everything up again after an upgrade."""
    connection.execute(
        "create table if not exists raw._lookup_versions"
        " (name varchar primary key, version varchar)"
    )
    for name, lookup in LOOKUPS.items():
        keys = ", ".join(f"{key} varchar not null" for key in lookup.keys)
        values = ", ".join(f"{column} {kind}" for column, kind in lookup.values.items())
        connection.execute(f"create table if not exists raw.{name} ({keys}, {values})")
        known = connection.execute(
            "select version from raw._lookup_versions where name = ?", [name]
        ).fetchone()
        if known == (lookup.version,):
            continue
        connection.execute("begin")
        connection.execute(f"delete from raw.{name}")
        for dataset in lookup.sources:
            _extend(connection, name, dataset, f"raw.{identifier(dataset)}")
        connection.execute(
            "insert or replace into raw._lookup_versions values (?, ?)", [name, lookup.version]
        )
        connection.execute("commit")


def extend(connection: duckdb.DuckDBPyConnection, dataset: str, rows: str) -> None:
    """Look up the texts of a dataset's rows that are new; part of the caller's transaction.

    Args:
        connection: the warehouse.
        dataset: name of the dataset.
        rows: SQL of a relation with the dataset's columns.
    """
    for name, lookup in LOOKUPS.items():
        if dataset in lookup.sources:
            _extend(connection, name, dataset, rows)


def versions() -> str:
    """What the tables follow from besides the landed texts."""
    return "\n".join(f"{name} {lookup.version}" for name, lookup in LOOKUPS.items())


def _extend(connection: duckdb.DuckDBPyConnection, name: str, dataset: str, rows: str) -> None:
    lookup = LOOKUPS[name]
    keys = ", ".join(lookup.keys)
    for expressions in lookup.sources[dataset]:
        given = ", ".join(
            f"coalesce({expression}, '') as {key}"
            for key, expression in zip(lookup.keys, expressions, strict=True)
        )
        anything = " or ".join(f"{key} <> ''" for key in lookup.keys)
        new = connection.execute(
            f"select distinct {keys} from (select {given} from {rows})"
            f" anti join raw.{name} using ({keys}) where {anything}"
        ).fetchall()
        _insert(connection, name, ((*key, *lookup.find(*key)) for key in new))


def _insert(connection: duckdb.DuckDBPyConnection, name: str, rows: Iterable[tuple]) -> None:
    columns = list(zip(*rows, strict=True))
    if columns:
        unnested = ", ".join(["unnest(?)"] * len(columns))
        connection.execute(
            f"insert into raw.{name} select {unnested}", [list(column) for column in columns]
        )
