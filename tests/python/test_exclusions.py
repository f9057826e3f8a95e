"""Bots and the business's own traffic: flagged with the reason, counted, and part of nothing."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable

import duckdb
import pytest
from test_normalisation import CHROME, GOOGLEBOT, rendered

from apportion import fit, load, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

Query = Callable[[str], list[tuple]]

VARS = {
    "internal_ips": ["198.51.100.7", "203.0.113.64/26", "2001:db8:77::/48"],
    "internal_hosts": ["staging.shop.example"],
    "internal_email_domains": ["shop.example"],
}
# What an event has, and why it is left out.
EVENTS = [
    ({"user_agent": CHROME}, None),
    ({"user_agent": GOOGLEBOT}, "bot"),
    ({"user_agent": GOOGLEBOT, "is_consented": False}, "no_consent"),
    ({"user_agent": GOOGLEBOT, "ip": "198.51.100.7"}, "bot"),
    ({"ip": " 198.51.100.7 "}, "internal"),
    ({"ip": "198.51.100.70"}, None),
    ({"ip": "203.0.113.63"}, None),
    ({"ip": "203.0.113.64"}, "internal"),
    ({"ip": "203.0.113.127"}, "internal"),
    ({"ip": "203.0.113.128"}, None),
    ({"ip": "2001:DB8:77:1::1"}, "internal"),
    ({"ip": "2001:db8:778::1"}, None),
    ({"page_url": "https://staging.shop.example:8080/x"}, "internal"),
    ({"page_url": "https://a.staging.shop.example/"}, "internal"),
    ({"page_url": "https://shop.example/?x=https://staging.shop.example/"}, None),
    # Somebody of the business, known by the e-mail address of another event and by its own.
    ({"anonymous_id": "staff"}, "internal"),
    ({"anonymous_id": "staff", "email": "Ann@Shop.example"}, "internal"),
    ({"anonymous_id": "visitor", "email": "ben@othershop.example"}, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Query:
    folder = tmp_path_factory.mktemp("exclusions")
    events = []
    for number, (event, _) in enumerate(EVENTS):
        common = {"event_id": f"e{number}", "occurred_at": f"2026-01-01T10:{number:02}:00Z"}
        events.append({"event_name": "page", "anonymous_id": f"d{number}"} | common | event)
    # A touch and an order of a bot; and an event twice, which is excluded once.
    events.append(events[1] | {"event_id": "click", "event_name": "ad_click"})
    order = {"event_name": "purchase", "order_id": "o1", "value": "5"}
    events.append(events[1] | {"event_id": "order"} | order)
    events.append(events[4])
    path = folder / "landing" / "events" / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / "landing" / "vars.yml").write_text(json.dumps(VARS))
    settings = Settings.resolve(folder / "data", folder / "landing")
    night = Night(settings)
    load.load(night)
    for stage in ("staging", "intermediate"):
        transform.build(night, stage)
    fit.score(night)
    transform.build(night, "marts")

    def run(sql: str) -> list[tuple]:
        with connect(settings.warehouse, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return run


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=lambda number: str(EVENTS[number]))
def test_reason(query: Query, number: int) -> None:
    assert query(
        "select exclusion_reason from intermediate.int_events__deduplicated"
        f" where event_id = 'e{number}'"
    ) == [(EVENTS[number][1],)]


def test_what_is_excluded_is_part_of_nothing(query: Query) -> None:
    excluded = "select event_id from intermediate.int_events__deduplicated"
    excluded += " where exclusion_reason is not null"
    assert query(f"select count(*) from ({excluded})") == [(13,)]
    assert query(
        f"select count(*) from intermediate.int_sessions__events where event_id in ({excluded})"
    ) == [(0,)]
    kept = sum(reason is None for _, reason in EVENTS)
    assert query("select sum(events_count) from marts.sessions") == [(kept,)]
    assert query("select count(*) from marts.touchpoints where touch_type = 'click'") == [(0,)]
    assert query("select count(*) from marts.conversions") == [(0,)]


def test_what_is_excluded_is_counted(query: Query) -> None:
    assert query(
        "select rows_in_file, rows_loaded, duplicate_rows, excluded_rows, bot_rows,"
        " internal_rows, no_consent_rows, not_yet_rows from marts.load_accounting"
    ) == [(21, 21, 1, 13, 4, 8, 1, 0)]


@pytest.mark.parametrize(
    "network",
    ["10.0.0.0/8", "10.1.2.0/23", "172.16.0.0/12", "192.0.2.3/32", "192.0.2.3", "0.0.0.0/1",
     "192.0.2.128/25", "192.0.2.0/31", "2001:db8::/32", "2001:db8:1:2::/64", "fe80::1"],
)  # fmt: skip
def test_networks_are_those_of_the_standard_library(network: str) -> None:
    wanted = ipaddress.ip_network(network)
    sent = [wanted[0], wanted[-1], wanted[len(range(2)) % wanted.num_addresses]]
    sent += [ipaddress.ip_address(int(wanted[0]) - 1) if int(wanted[0]) else wanted[0]]
    sent += [ipaddress.ip_address(int(wanted[-1]) + 1)]
    sent += [ipaddress.ip_address(text) for text in ("10.10.0.1", "192.0.20.3", "100.0.0.1")]
    # A zero group may be left out of the text anywhere, which a prefix of text cannot see.
    texts = [str(one) for one in sent if one.version == 4 or not str(one).startswith("::")]
    sql = rendered(f"in_network('ip', '{network}')")
    rows = duckdb.execute(f"select {sql} from (select unnest(?) as ip)", [texts]).fetchall()
    assert [found for (found,) in rows] == [ipaddress.ip_address(text) in wanted for text in texts]


@pytest.mark.parametrize("network", ["shop.example", "1.2.3.4' or true", "2001:db8::/33"])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match="internal_ips"):
        rendered("in_network('ip', network)", network=network)
