"""Stability of segments, week on week: by hand, and against scikit-learn on random memberships."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from sklearn.metrics import adjusted_rand_score

from apportion import transform
from apportion.settings import Settings

AS_OF = dt.datetime(2026, 2, 8)
BEFORE = AS_OF - dt.timedelta(days=7)
# Person, segment a week ago (None: not known yet), and segment now.
Moves = list[tuple[str, str | None, str]]


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("quality")
    settings = Settings.resolve(folder / "data", folder / "landing")
    settings.data.mkdir()
    result = transform.invoke(settings, ["compile", "--select", "segment_quality"], quiet=True)
    nodes = [compiled.node for compiled in result.result.results]
    return next(node.compiled_code for node in nodes if node.name == "segment_quality")


def quality(sql: str, families: dict[str, Moves]) -> dict[str, tuple[float, float]]:
    """PSI and ARI of each family's last week."""
    rows = []
    for family, moves in families.items():
        for user, earlier, later in moves:
            if earlier == later:
                rows.append((family, user, later, BEFORE, None))
                continue
            # What changes with the night's own moment is of the later week.
            moved = AS_OF if int(user[1:]) % 2 else BEFORE + dt.timedelta(days=2)
            rows.append((family, user, later, moved, None))
            if earlier is not None:
                rows.append((family, user, earlier, BEFORE, moved))
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute(
            "use warehouse; create schema ops; create schema ml; create schema marts;"
            "create table ops.clock (as_of timestamp);"
            "create table ml.cluster_comparison"
            " (trained_as_of timestamp, silhouette double, is_published boolean);"
            "create table marts.segment_memberships (segment_family varchar, user_key varchar,"
            " segment varchar, valid_from timestamp, valid_to timestamp)"
        )
        connection.execute("insert into ops.clock values (?)", [AS_OF])
        connection.executemany("insert into marts.segment_memberships values (?, ?, ?, ?, ?)", rows)
        found = connection.execute(
            f"select segment_family, psi, ari from ({sql}) where ended_at = ?", [AS_OF]
        ).fetchall()
    return {family: (psi, ari) for family, psi, ari in found}


def moves(*groups: tuple[int, str | None, str]) -> Moves:
    """People by how many of them went from where to where."""
    pairs = [pair for count, *pair in groups for _ in range(count)]
    return [(f"p{number}", *pair) for number, pair in enumerate(pairs)]


def test_by_hand(sql: str) -> None:
    found = quality(
        sql,
        {
            # Shares of 3/4 and 1/4 become halves: psi = 1/4 ln(3/2) + 1/4 ln 2. Of 28 pairs 8 stay
            # together, 16 were and 12 are; by chance 48/7 would: ari = (8 - 48/7) / (14 - 48/7).
            "moved": moves((4, "a", "a"), (2, "a", "b"), (2, "b", "b")),
            # An empty segment counts as half a person: psi = 1/2 ln 2 + 3/8 ln 4. As many pairs
            # are together as by chance.
            "split": moves((2, "a", "a"), (2, "a", "b")),
            # Who came since is in the shares (1/2, 1/2 and 1/4; 1/2, 1/4, 1/4), and in no pair.
            "came": moves((1, "a", "a"), (1, "b", "b"), (1, None, "a"), (1, None, "c")),
            "renamed": moves((3, "a", "b"), (3, "b", "a")),
            "one": moves((5, "a", "a")),
        },
    )
    assert found == {
        "moved": pytest.approx((math.log(3) / 4, 4 / 25)),
        "split": pytest.approx((5 / 4 * math.log(2), 0)),
        "came": pytest.approx((math.log(2) / 4, 1)),
        "renamed": pytest.approx((0, 1)),
        "one": pytest.approx((0, 1)),
    }


def test_a_family_that_began_this_week_has_not_jumped(sql: str) -> None:
    none = "unclassified"
    found = quality(
        sql,
        {
            "began": moves((4, none, "a"), (2, none, "b"), (2, none, none)),
            "grew": moves((4, none, "a"), (1, "a", "a"), (3, "b", "b")),
        },
    )
    assert found["began"] == (None, None)
    assert None not in found["grew"]


def test_as_scikit_learn_has_it(sql: str) -> None:
    chance = random.Random(3)
    families = {}
    for number in range(200):
        people, segments = chance.randint(1, 40), "abcdef"[: chance.randint(1, 6)]
        stays = chance.random()
        families[f"family {number}"] = [
            (f"p{user}", was, was if chance.random() < stays else chance.choice(segments))
            for user, was in enumerate(chance.choices(segments, k=people))
        ]
    found = quality(sql, families)
    seen = set()
    for family, people in families.items():
        _, earlier, later = zip(*people, strict=True)
        before, after, count = Counter(earlier), Counter(later), len(people)
        shares = [
            ((after[name] or 0.5) / count, (before[name] or 0.5) / count) for name in before | after
        ]
        psi = sum((later - earlier) * math.log(later / earlier) for later, earlier in shares)
        ari = adjusted_rand_score(earlier, later)
        assert found[family] == pytest.approx((psi, ari), abs=1e-12), people
        seen.add(round(ari, 1))
    assert len(seen) >= 8
