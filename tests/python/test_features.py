"""Features as of a moment: equal to a recomputation from strictly earlier rows."""

from __future__ import annotations

from decimal import Decimal

import pytest
from segments_world import DAY, MICROSECOND, build, copy_project, features_before, random_world

from apportion.warehouse import connect


@pytest.fixture(scope="module", params=[12])
def built(request, tmp_path_factory):
    """A random world and the warehouse of its features and marts."""
    folder = tmp_path_factory.mktemp("features")
    world = random_world(request.param)
    build(copy_project(folder), folder / "data", world)
    with connect(folder / "data" / "warehouse.duckdb", read_only=True) as connection:
        yield world, connection


def rows(connection, query):
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def assert_recomputed(world, row):
    expected = features_before(world, row["user_key"], row["feature_at"])
    tolerance = {"average_order_value": Decimal("0.0001"), "discount_share": Decimal("0.000001")}
    for name, value in expected.items():
        told = f"{name} of {row['user_key']} at {row['feature_at']}: {row[name]}, not {value}"
        if name in tolerance and value is not None:
            assert abs(row[name] - value) <= tolerance[name], told
        else:
            assert row[name] == value, told


def test_features_of_every_touch_equal_the_recomputation_from_earlier_rows(built):
    world, connection = built
    touches = rows(connection, "from intermediate.int_features__as_of_touch")
    assert len(touches) == len(world.rows["intermediate.int_touchpoints__collapsed"]) > 300
    for touch in touches:
        assert_recomputed(world, touch)


def test_features_of_every_other_moment_equal_the_recomputation(built):
    world, connection = built
    moments = rows(
        connection, "from intermediate.int_features__as_of_moment where moment_type <> 'touch'"
    )
    assert {moment["moment_type"] for moment in moments} == {
        "now",
        "conversion",
        "order",
        "boundary",
        "snapshot",
    }
    for moment in moments:
        assert_recomputed(world, moment)


def test_the_world_has_the_cases_that_leak(built):
    """The world is evidence only with orders at the instant of a touch and at a window's end."""
    world, _ = built
    orders = {
        (row["user_key"], row["ordered_at"])
        for row in world.rows["intermediate.int_conversions__orders"]
    }
    touches = world.rows["intermediate.int_touchpoints__collapsed"]
    for distance in (0 * DAY, MICROSECOND, 90 * DAY, 90 * DAY - MICROSECOND):
        assert any((row["user_key"], row["touched_at"] - distance) in orders for row in touches)


def test_everybody_has_one_profile_and_revenue_is_conserved(built):
    world, connection = built
    people = {row["user_key"] for row in world.rows["intermediate.int_identity__identifiers"]}
    profiles = rows(connection, "from marts.user_profiles")
    assert sorted(profile["user_key"] for profile in profiles) == sorted(people)
    revenue = sum(
        order["revenue"]
        for order in world.rows["intermediate.int_conversions__orders"]
        if not order["is_cancelled"] and order["exclusion_reason"] is None
    )
    refunded_later = connection.execute(
        """
        select count(*) from staging.stg_landing__refunds
        where refunded_at >= (select as_of from ops.clock)
        """
    ).fetchone()[0]
    assert refunded_later == 0
    assert sum(profile["revenue"] for profile in profiles) == revenue
