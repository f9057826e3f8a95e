"""Features as of a moment: equal to a recomputation from strictly earlier rows."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
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


def test_habits_of_everybody_equal_the_recomputation(built):
    """When, how long and with what people visit, counted here from the sessions one by one."""
    world, connection = built
    profiles = {row["user_key"]: row for row in rows(connection, "from marts.user_profiles")}
    visits = {}
    for session in world.rows["intermediate.int_sessions__sessionized"]:
        visits.setdefault(session["user_key"], []).append(session)
    assert len(visits) > 50
    for user_key, profile in profiles.items():
        sessions = visits.get(user_key, [])
        told = [profile[name] for name in (
            "usual_hour", "usual_weekday", "average_session_seconds", "device_types_count"
        )]  # fmt: skip
        if not sessions:
            assert told == [None] * 4
            continue
        expected = []
        for part in (lambda at: at.hour, lambda at: at.isoweekday()):
            counted = Counter(part(session["started_at"]) for session in sessions)
            expected.append(min(counted, key=lambda value: (-counted[value], value)))
        seconds = sum(Decimal(str(session["engagement_seconds"] or 0)) for session in sessions)
        assert told[:2] == expected, user_key
        assert abs(told[2] - seconds / len(sessions)) <= Decimal("0.001"), user_key
        assert told[3] == len({session.get("device_type") for session in sessions} - {None})


def test_category_affinity_of_everybody_equals_the_recomputation(built):
    """The categories that most money went to, counted here order by order."""
    world, connection = built
    lines = defaultdict(list)
    for line in world.rows["intermediate.int_conversions__order_items"]:
        # Of the products p1 and p2 the latest row says tea and nothing.
        category = line["category"] or {"p1": "tea"}.get(line["product_id"])
        quantity = 1 if line["quantity"] is None else line["quantity"]
        lines[line["order_id"]].append((category, max(quantity * (line["unit_price"] or 0), 0)))
    revenue, orders, buyers = defaultdict(float), Counter(), Counter()
    for order in world.rows["intermediate.int_conversions__orders"]:
        if order["is_cancelled"] or order["exclusion_reason"]:
            continue
        user, bought = order["user_key"], lines[order["order_id"]]
        amounts = defaultdict(float)
        for category, amount in bought:
            amounts[category] += float(amount)
        total = sum(amounts.values())
        for category in amounts.keys() - {None}:
            share = amounts[category] / total if total else 1 / len(amounts)
            revenue[user, category] += float(order["gross_revenue"]) * share
            orders[user, category] += 1
        buyers[user] += bool(amounts.keys() - {None})
    profiles = rows(connection, "select user_key, category_affinity from marts.user_profiles")
    assert sum(buyers[profile["user_key"]] > 3 for profile in profiles) > 10
    for profile in profiles:
        user = profile["user_key"]
        if not buyers[user]:
            assert profile["category_affinity"] is None
            continue
        told = json.loads(profile["category_affinity"])
        own = {name: money for (owner, name), money in revenue.items() if owner == user}
        best = sorted(own, key=lambda name: (-round(own[name], 2), -orders[user, name], name))
        # Amounts that differ by less than a rounding may change places.
        assert len(told) == min(len(own), 5)
        for one, name in zip(told, best, strict=False):
            assert abs(own[one["category"]] - own[name]) <= 0.02, user
            assert abs(one["orders_share"] - orders[user, one["category"]] / buyers[user]) < 1e-4
            if sum(own.values()):
                share = own[one["category"]] / sum(own.values())
                assert abs(one["revenue_share"] - share) < 2e-4, user
            else:
                assert one["revenue_share"] is None
