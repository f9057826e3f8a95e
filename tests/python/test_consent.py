"""Consent: by purpose and moment; the event, the person, the law, or what is assumed, in turn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apportion import fit, load, transform
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

# Who, under which law, and what they answered: purpose, day of February, answer.
PEOPLE = {
    "unknown": (None, []),
    "european": ("DE-BY", [("analytics", 10, True)]),
    "american": ("US-CA", [("analytics", 10, False)]),
    "elsewhere": ("BR", [("analytics", 10, False)]),
    "undecided": ("EU", [("advertising", 10, True)]),
    "withdrawn": ("US", [("analytics", 5, True), ("analytics", 10, False)]),
    "returned": (
        "EU", [("analytics", 5, True), ("analytics", 10, False), ("analytics", 15, True)]
    ),
    "corrected": ("EU", [("analytics", 10, False), ("analytics", 10, True)]),
    "impersonal": ("EU", [("analytics", 1, True), ("personalization", 10, True)]),
}  # fmt: skip
DAYS = (3, 7, 9, 10, 12, 20)
# On which of these days analytics is consented to, worked out by hand.
FORWARD = {
    "unknown": {3, 7, 9, 10, 12, 20},
    # Opt-in: not before the answer; from its moment on.
    "european": {10, 12, 20},
    # Opt-out: until the answer.
    "american": {3, 7, 9},
    # A law that is not listed: assumed (granted).
    "elsewhere": {3, 7, 9},
    "undecided": set(),
    "withdrawn": {3, 7, 9},
    "returned": {7, 9, 20},
    # Of two answers at one moment, the last loaded.
    "corrected": {10, 12, 20},
    "impersonal": {3, 7, 9, 10, 12, 20},
}
BACKWARD = FORWARD | {"american": set(), "elsewhere": set(), "withdrawn": set(), "returned": {20}}
# Denied where nobody says anything.
DENIED = FORWARD | {"unknown": set(), "elsewhere": set()}


def build(folder: Path, **values: object) -> Settings:
    events, consents = [], []
    for person, (jurisdiction, answers) in PEOPLE.items():
        who = {"user_id": person}
        for purpose, day, granted in answers:
            answer = {"purpose": purpose, "is_granted": granted, "jurisdiction": jurisdiction}
            consents.append(who | answer | {"changed_at": f"2026-02-{day:02}T12:00:00Z"})
        for day in DAYS:
            # The offer of the 10th is seen at the very moment of the answers.
            event = {"event_id": f"{person}-{day}", "event_name": "recommendation_clicked"}
            event |= {"occurred_at": f"2026-02-{day:02}T12:00:00Z", "is_personalized": True}
            events.append(who | event | {"campaign_id": f"c{day}"})
            for says in (True, False):
                own = {"event_id": f"{person}-{day}-{says}", "is_consented": says}
                events.append(who | event | own | {"campaign_id": f"c{day}-{says}"})
    for name, data in {"events": events, "consents": consents}.items():
        path = folder / "landing" / name / "a.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in data))
    (folder / "landing" / "vars.yml").write_text(json.dumps(values))
    settings = Settings.resolve(folder / "data", folder / "landing")
    night = Night(settings)
    load.load(night)
    for stage in ("staging", "intermediate"):
        transform.build(night, stage)
    fit.score(night)
    transform.build(night, "marts")
    return settings


def consented(settings: Settings, suffix: str = "") -> dict[str, set[int]]:
    """Per person the days whose event takes part in what is told of people."""
    with connect(settings.warehouse, read_only=True) as connection:
        rows = connection.execute(
            "select event_id from intermediate.int_events__deduplicated"
            " where exclusion_reason is distinct from 'no_consent'"
        ).fetchall()
    found = {person: set() for person in PEOPLE}
    for (event_id,) in rows:
        person, day, *own = event_id.split("-")
        if own == ([suffix] if suffix else []):
            found[person].add(int(day))
    return found


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build(tmp_path_factory.mktemp("forward"))


def test_a_record_holds_from_its_moment_on(forward: Settings) -> None:
    assert consented(forward) == FORWARD


def test_what_the_event_says_rules_it(forward: Settings) -> None:
    assert consented(forward, "True") == {person: set(DAYS) for person in PEOPLE}
    assert consented(forward, "False") == {person: set() for person in PEOPLE}


def test_what_is_excluded_is_counted_and_part_of_nothing(forward: Settings) -> None:
    excluded = len(PEOPLE) * len(DAYS) + sum(len(DAYS) - len(days) for days in FORWARD.values())
    with connect(forward.warehouse, read_only=True) as connection:
        assert connection.execute(
            "select no_consent_rows from marts.load_accounting where dataset = 'events'"
        ).fetchone() == (excluded,)
        assert connection.execute(
            "select count(*) from marts.touchpoints where user_key in (select user_key from"
            " intermediate.int_identity__identifiers where identifier_value = 'undecided')"
            " and campaign_id not like '%-True'"
        ).fetchone() == (0,)


def test_a_touch_is_personalised_only_with_consent_to_it(forward: Settings) -> None:
    with connect(forward.warehouse, read_only=True) as connection:
        found = connection.execute(
            "select campaign_id, is_personalized from marts.touchpoints"
            " inner join intermediate.int_identity__identifiers using (user_key)"
            " where identifier_value = 'impersonal' order by touched_at, campaign_id"
        ).fetchall()
    expected = [
        (f"c{day}{suffix}", day >= 10 or suffix != "") for day in DAYS for suffix in ("", "-True")
    ]
    assert found == expected


def test_a_withdrawal_may_act_backward(tmp_path: Path) -> None:
    settings = build(tmp_path, consent_withdrawal="backward")
    assert consented(settings) == BACKWARD
    # Also over what the event said then: it was taken back.
    assert consented(settings, "True")["withdrawn"] == {10, 12, 20}


def test_what_nobody_says_may_be_refused(tmp_path: Path) -> None:
    assert consented(build(tmp_path, consent_default_unknown="refused")) == DENIED
