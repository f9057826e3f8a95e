"""The ten questions of docs/questions.md: each is one select on one table, and its answer holds.

Beside each stands the same answer out of other tables: the rows that the published one sums up.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from apportion import warehouse
from apportion.settings import PROJECT, Settings

CREDITS = """
    from marts.attribution_credits
    where attribution_scope = 'all' and conversion_type = 'order' and attribution_model =
"""
# The answer by another way. Of 1 and 8, the sums are compared, since small segments are merged.
WITNESSES = {
    1: """
        select sum(credit), sum(credited_revenue) from marts.attribution_credits
        where attribution_model = 'position_based' and attribution_scope = 'all'
            and tactic = 'email_personalization'
            and converted_at >= (
                select max(period_started_on) from marts.attribution_intervals
                where period = 'last_90_days'
            )
    """,
    2: f"""
        select channel, sum(credit) {CREDITS} 'time_decay'
            and converted_at >= (
                select max(period_started_on) from marts.attribution_intervals
                where period = 'last_90_days'
            )
        group by channel having sum(credit) > 0
    """,
    3: f"""
        select channel, coalesce(last_touch.credit, 0), coalesce(linear.credit, 0)
        from (select channel, sum(credit) as credit {CREDITS} 'last_touch' group by 1) as last_touch
        full join (select channel, sum(credit) as credit {CREDITS} 'linear' group by 1) as linear
            using (channel)
    """,
    4: """
        select channel, sum(spend) from marts.spend_daily
        where spend > 0 group by channel
    """,
    5: """
        select
            list_sort(list_distinct(coalesce(path, []))), count(*) filter (where is_converted),
            count(*) filter (where not is_converted)
        from marts.journeys where conversion_type = 'order' and not is_open
        group by 1
    """,
    6: """
        with events as (
            select user_key, event_name, occurred_at
            from warehouse.intermediate.int_events__classified
            where exclusion_reason is null
                and occurred_at >= (select as_of - interval 90 day from warehouse.ops.clock)
        )
        select count(distinct user_key) from events where event_name = 'page_viewed'
    """,
    7: """
        with orders as (
            select user_key, date_trunc('month', converted_at) as month from marts.conversions
            where revenue > 0
        ),
        firsts as (select user_key, min(month) as cohort_month from orders group by 1)
        select
            cohort_month, count(distinct firsts.user_key), count(distinct orders.user_key)
        from firsts left join orders
            on firsts.user_key = orders.user_key
            and orders.month = firsts.cohort_month + interval 1 month
        group by 1
    """,
    8: """
        select
            count(*) filter (where event_name = 'email_sent'),
            count(*) filter (where event_name = 'email_opened')
        from warehouse.intermediate.int_events__classified
        where exclusion_reason is null and channel = 'email'
    """,
    9: f"""
        select
            date_trunc('month', converted_at),
            if(touchpoint_id is null, 'unattributed', coalesce(campaign_id, '(none)')),
            sum(credited_revenue) {CREDITS} 'linear'
        group by 1, 2
    """,
    10: """
        select week, sum(sessions), sum(orders) from (
            select date_trunc('week', started_at) as week, 1 as sessions, 0 as orders
            from marts.sessions
            union all
            select date_trunc('week', converted_at), 0, 1 from marts.conversions where revenue > 0
        ) group by 1
    """,
}


def questions() -> dict[int, str]:
    text = (PROJECT / "docs" / "questions.md").read_text(encoding="utf-8")
    return {
        int(number): query
        for number, query in re.findall(r"^## (\d+)\..*?```sql\n(.*?)```", text, re.M | re.S)
    }


@pytest.fixture(scope="module")
def connection(small_night: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, and the warehouse beside it for what is not published."""
    with warehouse.connect(":memory:") as opened:
        for name, path in (
            ("version", Path(small_night.published) / "apportion.duckdb"),
            ("warehouse", small_night.warehouse),
        ):
            opened.execute(f"attach {warehouse.literal(path)} as {name} (read_only)")
        opened.execute("use version")
        yield opened


def test_there_are_ten_and_each_is_one_select_on_one_table() -> None:
    asked = questions()
    assert list(asked) == list(WITNESSES) == list(range(1, 11))
    for number, query in asked.items():
        assert len(re.findall(r"\bselect\b", query)) == 1, number
        assert len(re.findall(r"\bfrom marts\.\w+", query)) == 1, number
        assert not re.search(r"\bjoin\b|\bfrom\b.*,\s*marts\.", query), number


@pytest.mark.parametrize("number", range(1, 11))
def test_the_answer_is_what_the_rows_behind_it_say(
    connection: duckdb.DuckDBPyConnection, number: int
) -> None:
    answer = connection.execute(questions()[number]).fetchall()
    witness = connection.execute(WITNESSES[number]).fetchall()
    assert answer
    if number in (1, 8):
        sums = tuple(sum(row[place] for row in answer) for place in (1, 2))
        assert_same([sums], witness)
        assert sums[1] > 0
    elif number == 6:
        assert answer[0][2] == witness[0][0] > 0
        users = [row[2] for row in answer]
        assert users == sorted(users, reverse=True)
    elif number == 4:
        assert_same([row[:2] for row in answer], witness)
        assert all(math.isclose(row[3], row[2] / float(row[1])) for row in answer)
    elif number == 5:
        counts = {tuple(path): rest for path, *rest in witness}
        assert all(counts[tuple(path)] == rest[:2] for path, *rest in answer)
        assert answer[0][1] == max(converted for converted, _ in counts.values())
    elif number == 7:
        told = {row[0]: row[1:3] for row in answer}
        known = {month.date(): tuple(rest) for month, *rest in witness}
        assert told == {month: known[month] for month in told}
    elif number == 10:
        assert_same([row[:3] for row in answer], witness)
    else:
        width = len(witness[0])
        assert_same([row[:width] for row in answer], witness)


def assert_same(answer: list[tuple[Any, ...]], witness: list[tuple[Any, ...]]) -> None:
    """The same rows in any order; sums of doubles but for the order in which they were summed."""

    def by_name(rows: list[tuple[Any, ...]]) -> dict[tuple[str, ...], list[float]]:
        named = {}
        for row in rows:
            numbers = [value for value in row if isinstance(value, int | float | Decimal)]
            named[tuple(_text(value) for value in row if value not in numbers)] = [
                float(value) for value in numbers
            ]
        assert len(named) == len(rows)
        return named

    ours, theirs = by_name(answer), by_name(witness)
    assert ours.keys() == theirs.keys()
    for name, numbers in ours.items():
        assert numbers == pytest.approx(theirs[name], rel=1e-9, abs=1e-9), name


def _text(value: Any) -> str:
    """A name; a day is the same as date and as timestamp."""
    return str(value.date()) if isinstance(value, dt.datetime) else str(value)
