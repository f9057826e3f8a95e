"""CRM records without a key in common: splink finds them, the next night takes them in."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random

import identity_nights
import pytest

from apportion import identity, matching
from apportion.errors import ApportionError
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

FIRST_NAMES = ("Ada", "Ben", "Cyd", "Dan", "Eva", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lea")
LAST_NAMES = ("Adams", "Becker", "Costa", "Dubois", "Evans", "Garcia", "Hansen", "Keller", "Lopez")
COLUMNS = (
    *("contact_id", "first_name", "last_name", "birth_date", "postal_code", "email", "phone"),
    "updated_at",
)
PEOPLE, TWICE = 480, 160


def write(settings: Settings, people: int) -> dict[str, int]:
    """CRM records of people, every third of whom has a second one with other e-mail and no phone.

    A second record has a typo in the name, no birthday, another postal code, or nothing wrong.

    Returns:
        The person of each contact.
    """
    draw = random.Random(1)
    rows, truth = [], {}
    for person in range(people):
        first, last = draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)
        born = dt.date(1950, 1, 1) + dt.timedelta(days=draw.randrange(20_000))
        code = str(10_000 + draw.randrange(300))
        row = [f"c{person}a", first, last, born.isoformat(), code]
        row += [f"{first}.{draw.randrange(10**6)}@a.example", str(draw.randrange(10**9, 10**10))]
        rows.append(row)
        if person % 3 == 0:
            other = [f"c{person}b", *row[1:5], f"{last}{draw.randrange(10**6)}@b.example", ""]
            match draw.randrange(4):
                case 0:
                    other[2] = last[1] + last[0] + last[2:]
                case 1:
                    other[3] = ""
                case 2:
                    other[4] = str(10_000 + draw.randrange(300))
            rows.append(other)
    folder = settings.landing / "contacts"
    folder.mkdir(parents=True)
    with (folder / "2026-01-01.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([*row, "2026-01-01T00:00:00Z"])
            truth[row[0]] = int(row[0][1:-1])
    return truth


def keys(settings: Settings) -> dict[str, str]:
    """The person of each contact, as the warehouse knows it."""
    with connect(settings.warehouse, read_only=True) as connection:
        return dict(
            connection.execute(
                "select identifier_value, user_key from intermediate.int_identity__identifiers"
                " where identifier_type = 'contact_id'"
            ).fetchall()
        )


@pytest.fixture(scope="module")
def matched(tmp_path_factory):
    """An installation after a night, the truth, and the matches that were found and landed."""
    folder = tmp_path_factory.mktemp("matching")
    settings = Settings.resolve(folder / "data", folder / "landing")
    truth = write(settings, PEOPLE)
    identity_nights.resolve(settings, None)
    before = keys(settings)
    found = matching.find(settings)
    said = matching.land(settings, found)
    return settings, truth, before, found, said


def test_records_of_one_person_are_found(matched):
    _, truth, before, found, _ = matched
    assert len(set(before.values())) == PEOPLE + TWICE
    for least, precision, recall in ((0.99, 0.99, 0.4), (0.9, 0.95, 0.7)):
        sure = [pair for pair in found if pair.probability >= least]
        right = [pair for pair in sure if truth[pair.first] == truth[pair.second]]
        assert len(right) >= precision * len(sure)
        assert len(right) >= recall * TWICE


def test_the_next_night_takes_sure_matches_in_and_a_rebuild_agrees(matched):
    settings, _, before, found, said = matched
    sure = [pair for pair in found if pair.probability >= 0.99]
    assert f"{len(sure)} of them with a probability from 0.99" in said
    identity_nights.resolve(settings, None)
    after = keys(settings)
    assert all(after[pair.first] == after[pair.second] for pair in sure)
    unsure = {
        name for pair in found if pair.probability < 0.99 for name in (pair.first, pair.second)
    }
    unsure -= {name for pair in sure for name in (pair.first, pair.second)}
    assert unsure
    assert all(after[name] == before[name] for name in unsure)
    identity_nights.resolve(settings, None, full_refresh=True)
    assert keys(settings) == after
    # What was told is not told again, also where a veto parts it.
    assert matching.find(settings) == []
    identity.split(settings, f"contact_id:{sure[0].first}", f"contact_id:{sure[0].second}")
    identity_nights.resolve(settings, None)
    parted = keys(settings)
    assert parted[sure[0].first] != parted[sure[0].second]
    assert matching.find(settings) == []


def test_it_is_off_unless_wanted(matched):
    settings, *_ = matched
    assert "off" in matching.match(Night(settings))
    (settings.landing / "vars.yml").write_text(json.dumps({"identity_matching": True}))
    assert "pairs of CRM records" in matching.match(Night(settings))
    (settings.landing / "vars.yml").unlink()


def test_too_little_to_learn_from_is_told(tmp_path):
    settings = Settings.resolve(tmp_path / "data", tmp_path / "landing")
    with pytest.raises(ApportionError, match="no warehouse"):
        matching.find(settings)
    write(settings, 20)
    identity_nights.resolve(settings, None)
    with pytest.raises(ApportionError, match="too few"):
        matching.find(settings)
