"""Channel rules: origins whose channel was worked out by hand from the words of the rules.

The comments in seeds/channel_rules.csv are these words.
"""

from __future__ import annotations

import csv
import json

import pytest

from apportion import load, transform
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import connect

ORIGINS = PROJECT / "tests" / "fixtures" / "channel_origins.csv"
NO_TAGS = ("click_id_name", "channel")
# GA4's name of a group and ours.
GROUPS = {
    "Direct": "direct", "Cross-network": "cross_network", "Paid Shopping": "paid_shopping",
    "Paid Search": "paid_search", "Paid Social": "paid_social", "Paid Video": "video",
    "Display": "display", "Paid Other": "paid_other", "Organic Shopping": "organic_shopping",
    "Organic Social": "organic_social", "Organic Video": "organic_video",
    "Organic Search": "organic_search", "Referral": "referral", "Email": "email",
    "Affiliates": "affiliate", "Audio": "audio", "SMS": "sms",
    "Mobile Push Notifications": "push",
}  # fmt: skip


def origins() -> list[dict[str, str]]:
    """Each origin's tags, referrer and name of click id, as far as it has them, and its channel."""
    with ORIGINS.open(newline="") as file:
        return [{name: text for name, text in row.items() if text} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    """Channel, is_paid and is_direct of each origin, by its number."""
    folder = tmp_path_factory.mktemp("channels")
    path = folder / "landing" / "events" / "a.jsonl"
    path.parent.mkdir(parents=True)
    events = []
    for number, origin in enumerate(origins()):
        event = {"event_id": f"e{number}", "event_name": "page", "anonymous_id": f"d{number}"}
        event["occurred_at"] = "2026-01-01T10:00:00Z"
        tags = {name: text for name, text in origin.items() if name not in NO_TAGS}
        if "click_id_name" in origin:
            tags[origin["click_id_name"]] = "1"
        events.append(event | tags)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    settings = Settings.resolve(folder / "data", folder / "landing")
    night = Night(settings)
    load.load(night)
    transform.build(night, "staging")
    transform.build(night, "intermediate")
    with connect(settings.warehouse, read_only=True) as connection:
        rows = connection.execute(
            "select event_id, channel, is_paid, is_direct from intermediate.int_events__classified"
        ).fetchall()
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize(("number", "origin"), enumerate(origins()), ids=str)
def test_channel(found: dict[str, tuple], number: int, origin: dict[str, str]) -> None:
    assert found[f"e{number}"][0] == origin["channel"]


def test_paid_and_direct_are_those_of_the_channel(found: dict[str, tuple]) -> None:
    with (PROJECT / "seeds" / "channels.csv").open(newline="") as file:
        channels = {row["channel"]: row for row in csv.DictReader(file)}
    for channel, is_paid, is_direct in found.values():
        assert str(is_paid).lower() == channels[channel]["is_paid"]
        assert str(is_direct).lower() == channels[channel]["is_direct"]
    assert {channel for channel, is_paid, _ in found.values() if is_paid} == {
        "cross_network", "paid_shopping", "paid_search", "paid_social", "video", "display",
        "paid_other", "affiliate", "audio", "direct_mail",
    }  # fmt: skip


def test_every_group_has_its_rule_and_an_origin(found: dict[str, tuple]) -> None:
    with (PROJECT / "seeds" / "channel_rules.csv").open(newline="") as file:
        rules = list(csv.DictReader(file))
    said = {(rule["comment"].split(":")[0], rule["channel"]) for rule in rules}
    assert len(GROUPS) == 18
    assert set(GROUPS.items()) <= said
    assert {rule["channel"] for rule in rules} == {channel for channel, _, _ in found.values()}
    assert len(origins()) >= 80
