"""Segment families: added by one file, labels right at every time, small segments merged."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from pathlib import Path

import family_rules
import pytest
from segments_world import (
    AS_OF,
    DAY,
    START,
    World,
    build,
    copy_project,
    dbt,
    features_before,
    random_world,
)

from apportion import fit
from apportion.night import Night
from apportion.settings import Settings
from apportion.warehouse import connect

NEW_FAMILY = """
{% macro segment_family__basket() -%}
    case
        when features.average_order_value >= 100 then 'large'
        when features.average_order_value is not null then 'usual'
    end
{%- endmacro %}

{% macro segment_catalog__basket() -%}
    {{ return({
        'kind': 'rule',
        'segments': {'large': "It's 100 or more", 'usual': 'Less than 100'},
    }) }}
{%- endmacro %}
"""
NEW_FAMILY_YML = """
version: 2

macros:
  - name: segment_family__basket
    description: Label by the average order value.
  - name: segment_catalog__basket
    description: Kind and description of each segment.
"""
# Nothing was trained in this world.
LEARNED = {"cluster", "churn_risk", "conversion_propensity", "predicted_value"}
FAMILIES = {"basket", *family_rules.RULES, *LEARNED}
OF_MOMENT = {"contextual", "season"}
MEMBERSHIPS = FAMILIES - OF_MOMENT
MIN_SEGMENT_SIZE = 10


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the project with one more family, built on a random world; and that world."""
    folder = tmp_path_factory.mktemp("segments")
    project = copy_project(folder)
    families = project / "macros" / "segments" / "families"
    (families / "basket.sql").write_text(NEW_FAMILY)
    (families / "basket.yml").write_text(NEW_FAMILY_YML)
    world = random_world(seed=23)
    build(project, folder / "data", world)
    return world, folder / "data"


@pytest.fixture
def query(built):
    """Rows of a query as tuples."""

    def run(sql: str) -> list[tuple]:
        with connect(built[1] / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return run


def test_a_family_is_added_by_its_file_alone(query):
    columns = {name for (name, *_) in query("describe marts.journey_touchpoints")}
    assert {f"segment_{family}" for family in FAMILIES} <= columns
    for table, families in {
        "segment_definitions": FAMILIES,
        "segment_memberships": MEMBERSHIPS,
        "attribution_by_segment": FAMILIES,
    }.items():
        found = query(f"select distinct segment_family from marts.{table}")
        assert {family for (family,) in found} == families
    assert query(
        "select segment, description, kind from marts.segment_definitions"
        " where segment_family = 'basket' order by segment"
    ) == [
        ("large", "It's 100 or more", "rule"),
        ("unclassified", "What the family needs to know is not known", "rule"),
        ("usual", "Less than 100", "rule"),
    ]
    labels = query("select distinct segment_basket from marts.journey_touchpoints")
    assert labels and set(labels) == {("large",), ("usual",), ("unclassified",)}


def test_everybody_is_in_one_segment_of_each_family(built, query):
    people = {row["user_key"] for row in built[0].rows["intermediate.int_identity__identifiers"]}
    current = query(
        "select user_key, segment_family from marts.segment_memberships where is_current"
    )
    assert sorted(current) == sorted((user, family) for user in people for family in MEMBERSHIPS)
    assert query(
        "select segment_family, sum(members) from marts.segment_definitions group by all order by 1"
    ) == [(family, len(people) * (family in MEMBERSHIPS)) for family in sorted(FAMILIES)]


def test_labels_of_touches_are_of_what_had_happened_before(built, query):
    """1,000 random pairs of touchpoint and family, from nothing but strictly earlier rows."""
    world, data = built
    with connect(data / "warehouse.duckdb", read_only=True) as connection:
        limits = connection.execute("from ml.rfm_thresholds").df().to_dict("records")[0]
    limits = {name: value for name, value in limits.items() if name.count("_") == 1}
    columns = ", ".join(f"segment_{family}" for family in family_rules.RULES)
    touches = query(
        f"select user_key, feature_at, {columns} from intermediate.int_segments__labelled_moments"
        " where moment_type = 'touch' order by moment_id"
    )
    chance, seen, wrong = random.Random(7), defaultdict(set), []
    for _ in range(1000):
        user, moment, *labels = chance.choice(touches)
        number, family = chance.choice(list(enumerate(family_rules.RULES)))
        expected = family_rules.label(family, features_before(world, user, moment), limits)
        seen[family].add(expected)
        if labels[number] != expected:
            wrong.append((family, user, moment, labels[number], expected))
    assert not wrong
    # A family that tells all the same would prove nothing.
    assert not [family for family in family_rules.RULES if len(seen[family]) < 2]


def test_lifecycle_validity_is_right_at_any_time(built, query):
    """Also between a person's own moments: the family names the days at which labels change."""
    world, _ = built
    validity = defaultdict(list)
    for user, segment, valid_from, valid_to in query(
        "select user_key, segment, valid_from, valid_to from marts.segment_memberships"
        " where segment_family = 'lifecycle'"
    ):
        validity[user].append((segment, valid_from, valid_to or dt.datetime.max))
    chance, seen = random.Random(5), set()
    for user, periods in validity.items():
        first = min(valid_from for _, valid_from, _ in periods)
        times = [start for _, start, _ in periods if start < AS_OF]
        times += [START + DAY * chance.randrange(0, 500) + DAY / 3 for _ in range(5)]
        for time in times:
            if time < first:
                continue
            (segment,) = [name for name, start, end in periods if start <= time < end]
            assert segment == family_rules.lifecycle(features_before(world, user, time)), (
                user,
                time,
            )
            seen.add(segment)
    assert seen == {"new", "prospect", "active", "lapsing", "lapsed", "reactivated"}


def test_rfm_thresholds_are_values_at_ranks(query):
    features = query(
        "select days_since_last_order, orders_365d, revenue_365d"
        " from intermediate.int_features__now where orders_count > 0"
    )
    expected = []
    for position in range(3):
        values = sorted(row[position] for row in features)
        expected += [values[-(-len(values) * percent // 100) - 1] for percent in (20, 40, 60, 80)]
    (row,) = query("select * exclude (fitted_at) from ml.rfm_thresholds")
    assert row == (1, AS_OF, *expected)


def test_versions_stay_until_a_new_fit(built, query):
    data: Path = built[1]
    night = Night(Settings(data=data, landing=data / "landing"))
    before = query("from ml.rfm_thresholds")
    assert "version 1 is in use" in fit.score(night)
    assert query("from ml.rfm_thresholds") == before
    with connect(data / "warehouse.duckdb") as connection:
        connection.execute("update ops.clock set as_of = as_of + interval 7 days")
    assert "version 2" in fit.fit(night)
    assert "version 2" in fit.fit(night)  # the same moment: replaced, not added
    versions = query("select version, valid_from from ml.rfm_thresholds order by version")
    assert versions == [(1, AS_OF), (2, AS_OF + 7 * DAY)]
    with connect(data / "warehouse.duckdb") as connection:
        connection.execute("delete from ml.rfm_thresholds where version = 2")
        connection.execute("update ops.clock set as_of = as_of - interval 7 days")


def test_nobody_has_ordered(tmp_path):
    with connect(tmp_path / "warehouse.duckdb") as connection:
        World().write(connection)
        connection.execute(
            "create table intermediate.int_features__now"
            " (orders_count bigint, days_since_last_order bigint, orders_365d bigint,"
            " revenue_365d decimal(18, 4))"
        )
    assert "nobody has ordered" in fit.score(Night(Settings(data=tmp_path, landing=tmp_path)))
    with connect(tmp_path / "warehouse.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) from ml.rfm_thresholds").fetchone() == (0,)


def test_credit_by_segment_adds_up_and_small_segments_are_merged(built, query):
    """Recomputed from the credits and the labels of touches and conversions."""
    labels = {
        (moment_type, moment_id): dict(zip(sorted(FAMILIES), names, strict=True))
        for moment_type, moment_id, *names in query(
            f"select moment_type, moment_id, {', '.join(f'segment_{f}' for f in sorted(FAMILIES))}"
            " from intermediate.int_segments__labelled_moments"
        )
    }
    credits = [
        row | {"attribution_model": model, "credit": row[f"credit_{model}"]}
        for row in built[0].rows["intermediate.int_attribution__apportioned"]
        for model in ("linear", "last_touch")
    ]

    def label(credit: dict, family: str) -> str:
        touch = credit["touchpoint_id"]
        key = ("touch", touch) if touch else ("conversion", credit["conversion_id"])
        return labels[key][family]

    told = {
        tuple(row[:5]): row[5]
        for row in query(
            "select attribution_model, segment_family, segment, channel, tactic, conversions"
            " from marts.attribution_by_segment"
            " where attribution_model in ('linear', 'last_touch')"
        )
    }
    expected: dict[tuple, float] = defaultdict(float)
    merged_families = set()
    for family in FAMILIES:
        people = defaultdict(set)
        for credit in credits:
            people[label(credit, family)].add(credit["user_key"])
        order = sorted(people, key=lambda segment: (len(people[segment]), segment))
        small = [segment for segment in order if len(people[segment]) < MIN_SEGMENT_SIZE]
        rest = order[len(small) :]
        while small and rest and len(set().union(*(people[s] for s in small))) < MIN_SEGMENT_SIZE:
            small.append(rest.pop(0))
        if small:
            merged_families.add(family)
        for credit in credits:
            segment = label(credit, family)
            shown = "(small)" if segment in small else segment
            tactic = credit["tactic"] or "none"
            expected[credit["attribution_model"], family, shown, credit["channel"], tactic] += (
                credit["credit"]
            )
    assert told.keys() == expected.keys()
    for key, conversions in expected.items():
        assert told[key] == pytest.approx(conversions, rel=1e-9), key
    assert merged_families and merged_families != FAMILIES
    conversions = len(built[0].rows["intermediate.int_conversions__valued"])
    for total, share in query(
        "select sum(conversions), sum(share) from marts.attribution_by_segment"
        " where attribution_model in ('linear', 'last_touch')"
        " group by attribution_model, segment_family"
    ):
        assert total == pytest.approx(conversions, rel=1e-9)
        assert share == pytest.approx(1)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("shoe_size,=,44", "there is no feature shoe_size"),
        ("gender,like,f", "there is no operator like"),
        ("orders_count,>,many", "orders_count is a number, and many is none"),
        ("orders_count,>,1 or true", "orders_count is a number, and 1 or true is none"),
        ("gender,=,", "the operator = needs a value"),
    ],
)
def test_a_persona_that_says_nothing_is_told_with_its_line(built, rule, told):
    project, data = built[1].parent / "project", built[1]
    seed = project / "seeds" / "personas.csv"
    kept = seed.read_text()
    seed.write_text(f"{kept}14,wrong,,{rule},\n")
    try:
        dbt(project, data, "seed", "--select", "personas")
        with pytest.raises(
            AssertionError, match=rf"personas.csv, line 15 \(persona wrong\): {told}"
        ):
            dbt(project, data, "compile", "--select", "int_segments__labelled_now")
    finally:
        seed.write_text(kept)
        dbt(project, data, "seed", "--select", "personas")
