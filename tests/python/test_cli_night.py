"""The command line after a night on the small world: what it tells of it."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from small_world import MALFORMED, PEOPLE

from apportion import runner, status, summary
from apportion.explain import Conversion, Touch, reason
from apportion.night import STEPS, Night
from apportion.settings import Settings
from apportion.warehouse import connect


@pytest.fixture(scope="module")
def run_id(small_night: Settings) -> str:
    with connect(small_night.warehouse, read_only=True) as connection:
        return connection.execute("select max(run_id) from ops.run_log").fetchone()[0]


def test_every_step_is_in_the_run_log_and_in_the_log_file(
    small_night: Settings, run_id: str
) -> None:
    with connect(small_night.warehouse, read_only=True) as connection:
        rows = connection.execute(
            'select stage, status, seconds from ops.run_log where run_id = ? order by "at"',
            [run_id],
        ).fetchall()
    assert [(stage, status) for stage, status, _ in rows] == [(step.name, "done") for step in STEPS]
    assert all(seconds >= 0 for *_, seconds in rows)
    events = runner.events(Night(small_night, run_id))
    assert [event["step"] for event in events if event["event"] == "done"] == [
        step.name for step in STEPS
    ]
    assert {event["run_id"] for event in events} == {run_id}


def test_summary_agrees_with_the_warehouse(small_night: Settings, run_id: str) -> None:
    told = summary.collect(Night(small_night, run_id))
    assert told.quarantined == told.new_quarantined == MALFORMED
    assert told.rows == told.new_rows > 0
    assert told.people == PEOPLE + 1  # And the one who only came to the store.
    assert any("consent" in text for text in told.assumed)
    orders = next(credit for credit in told.credits if credit.conversion_type == "order")
    assert 0 < orders.attributed < orders.conversions
    assert orders.elements[-1] == "unattributed"
    assert len(orders.models) >= 2
    for model, amounts in orders.models.items():
        assert sum(amounts) == pytest.approx(orders.conversions, abs=1e-6), model


def test_status_tells_the_night(apportion, small_night: Settings, run_id: str) -> None:
    result = apportion("status", "--data", small_night.data)
    assert result.returncode == 0, result.stderr
    for text in (run_id, f"{len(STEPS)} of {len(STEPS)} done", "nobody"):
        assert text in result.stdout


def test_status_tells_what_is_slow_stale_and_failing_for_nights(
    apportion, small_night: Settings, run_id: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(small_night.warehouse, data)
    with connect(data / "warehouse.duckdb") as connection:
        connection.execute("delete from ops.quality_results")
        for number in range(6):
            connection.execute(
                "insert into ops.run_log values (?, 'load', 'done', '', 1, now()::timestamp, 20)",
                [f"2000010{number}"],
            )
            connection.execute(
                "insert into ops.quality_results values"
                " (?, 'raw', 'a.b', 'warning', ?, 'seen', '', now()::timestamp)",
                [f"2000010{number}" if number < 5 else run_id, number == 2],
            )
        connection.execute(
            "update ops.run_log set seconds = 81 where stage = 'load' and run_id = ?", [run_id]
        )
        connection.execute(
            "update ops.source_freshness set status = 'stale', days_overdue = 2.5"
            " where dataset = 'orders'"
        )
    result = apportion("status", "--data", data)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^load +done +81\.0 SLOW +20\.0", result.stdout, re.MULTILINE), result.stdout
    assert "warning raw: a.b (seen), 3 nights in a row" in result.stdout
    assert re.search(r"stale +orders: last row .*, 2\.5 days overdue", result.stdout)
    assert "sizes" in result.stdout


@pytest.mark.parametrize(
    ("seconds", "usual", "is_slow"),
    [(400.0, 100.0, True), (300.0, 100.0, False), (10.0, 1.0, False), (400.0, None, False)],
)
def test_a_step_is_slow_beyond_three_times_its_median_and_a_minute(
    seconds: float, usual: float | None, is_slow: bool
) -> None:
    assert status.is_slow(seconds, usual) is is_slow


def test_explain_tells_journey_credit_and_reasons(apportion, small_night: Settings) -> None:
    with connect(small_night.warehouse, read_only=True) as connection:
        conversion_id, touch_count, models = connection.execute(
            "select conversion_id, max(touch_count), count(distinct attribution_model)"
            " from marts.journeys inner join marts.attribution_credits using (conversion_id)"
            " where touch_count > 1 group by conversion_id order by conversion_id limit 1"
        ).fetchone()
    result = apportion("explain", conversion_id, "--data", small_night.data)
    assert result.returncode == 0, result.stderr
    assert len(re.findall(r"counts: .* days before", result.stdout)) == touch_count
    assert "linear" in result.stdout and models > 1


def test_explain_an_unknown_conversion_is_wrong_usage(apportion, small_night: Settings) -> None:
    result = apportion("explain", "no-such-conversion", "--data", small_night.data)
    assert result.returncode == 2
    assert "no-such-conversion" in result.stderr


def test_a_gate_that_says_no_is_status_3(monkeypatch, settings: Settings, land) -> None:
    from apportion import cli, gates, load
    from apportion.errors import GateFailed

    def no(night: Night, stage: str) -> str:
        raise GateFailed(f"{stage} is not as expected", "mend it")

    land("events/a.jsonl", [{"event_name": "page_viewed", "occurred_at": "2026-01-01"}])
    monkeypatch.setattr(gates, "gate", no)
    monkeypatch.setattr(
        "sys.argv",
        ["apportion", "run", "--landing", str(settings.landing), "--data", str(settings.data)],
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    with connect(settings.warehouse, read_only=True) as connection:
        rows = connection.execute(
            'select stage, status, reason from ops.run_log order by "at"'
        ).fetchall()
    assert [row[:2] for row in rows] == [("load", "done"), ("gate_raw", "stopped")]
    assert rows[1][2] == "raw is not as expected"
    assert not settings.published.exists()
    assert load.load  # The real loader ran: its rows are there.


DAY = dt.timedelta(days=1)
NOON = dt.datetime(2026, 3, 20, 12)
PREVIOUS = NOON - 10 * DAY


@pytest.mark.parametrize(
    ("touched_at", "changes", "expected"),
    [
        (NOON - DAY, {"touch_number": 1}, "counts: 1.0 days before"),
        (NOON - 40 * DAY, {"touch_number": 1, "eligible_until": NOON}, "but good until"),
        (NOON + DAY, {}, "after the conversion"),
        (NOON - DAY, {"is_eligible": False}, "touches of type click get no credit"),
        (NOON - 30 * DAY - dt.timedelta(microseconds=1), {}, "too early"),
        (NOON - 40 * DAY, {"eligible_until": NOON - DAY}, "and good until"),
        (PREVIOUS, {}, "not later than the previous order"),
        (NOON - DAY, {}, "max_touches"),
    ],
)
def test_reasons(touched_at: dt.datetime, changes: dict, expected: str) -> None:
    conversion = Conversion(
        conversion_id="c",
        user_key="u",
        conversion_type="order",
        order_id="o",
        revenue=Decimal(1),
        converted_at=NOON,
        lookback_days=30,
        journey_boundary="since_last_conversion",
        previous_converted_at=PREVIOUS,
    )
    facts = {
        "touchpoint_id": "t",
        "touched_at": touched_at,
        "touch_type": "click",
        "channel": "email",
        "campaign_id": None,
        "tactic": "none",
        "is_personalized": False,
        "is_eligible": True,
        "eligible_until": None,
        "touch_number": None,
    }
    assert expected in reason(conversion, Touch(**facts | changes))


def test_the_reason_agrees_with_the_journey_for_every_touch(small_night: Settings) -> None:
    """A touch is in the journey exactly where its own rules say so: SQL and words do not differ."""
    from apportion import explain

    told = set()
    with connect(small_night.warehouse, read_only=True) as connection:
        ids = connection.execute(
            "select conversion_id from intermediate.int_conversions__valued order by all"
        ).fetchall()
        for (conversion_id,) in ids:
            conversion = explain._conversion(connection, conversion_id)
            for touch in explain._touches(connection, conversion):
                why = reason(conversion, touch)
                told.add(why.split(":")[0])
                assert "max_touches" not in why, (conversion, touch)
                if touch.touch_number is not None:
                    outside = Touch(**{**touch.__dict__, "touch_number": None})
                    assert "max_touches" in reason(conversion, outside), (conversion, touch)
    assert "counts" in told and "after the conversion" in told
