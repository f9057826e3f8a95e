"""Alerts: a failed gate, a stale source, a failed step reach a web hook; its address no log."""

from __future__ import annotations

import http.server
import json
import logging
import threading
from collections.abc import Iterator

import pytest
import small_warehouse

from apportion import alerts, gates, runner, warehouse
from apportion.errors import ApportionError, GateFailed
from apportion.night import Night, Step
from apportion.settings import Settings

SECRET = "T0SECRET"


class Hook:
    """A server on 127.0.0.1 that keeps what is posted to it and gives one answer."""

    def __init__(self) -> None:
        self.posted: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.status, self.location = 200, ""
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.asked.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                hook.posted.append(json.loads(body))
                self.answer()

            def do_GET(self) -> None:
                hook.asked.append(self.path)
                self.answer()

            def answer(self) -> None:
                self.send_response(hook.status)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/services/{SECRET}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    made = Hook()
    monkeypatch.setenv(alerts.ADDRESS, made.address)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def small(settings: Settings) -> Settings:
    return small_warehouse.build(settings.data)


def plant(settings: Settings, sql: str) -> None:
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(sql)


def test_clean_data_send_nothing(small: Settings, hook: Hook) -> None:
    said = gates.gate(Night(small, run_id=small_warehouse.RUN_ID), "raw")
    assert hook.posted == []
    assert "alert" not in said


def test_stale_source_is_told(small: Settings, hook: Hook) -> None:
    plant(
        small,
        "update ops.source_freshness set days_overdue = 0.5, status = 'stale'"
        " where dataset = 'orders'",
    )
    gates.gate(Night(small, run_id=small_warehouse.RUN_ID), "raw")
    (posted,) = hook.posted
    assert set(posted) == {"text"}
    assert "freshness.days_overdue" in posted["text"]
    assert "days_overdue = 0.5 for orders" in posted["text"]
    assert small_warehouse.RUN_ID in posted["text"]


def test_held_batch_is_told(small: Settings, hook: Hook) -> None:
    plant(small, "update raw.orders set revenue = 0")
    gates.gate(Night(small, run_id=small_warehouse.RUN_ID), "raw")
    (posted,) = hook.posted
    assert "HELD: 1 of 4 judged batches, of orders" in posted["text"]


def test_gate_that_stops_the_night_is_told_once(small: Settings, hook: Hook) -> None:
    plant(small, "delete from raw.events where event_id = 'e1'")
    step = Step("gate_staging", "gates", "gate", ("staging",))
    with pytest.raises(GateFailed):
        runner.run_step(Night(small, run_id=small_warehouse.RUN_ID), step)
    (posted,) = hook.posted
    assert "gate_staging failed" in posted["text"]
    assert "accounting.unaccounted_rows" in posted["text"]
    assert "next: mend the cause" in posted["text"]


def test_failure_that_was_not_foreseen_does_not_quote_a_row(
    small: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> str:
        raise ValueError("ann@example.org is no number")

    monkeypatch.setattr(gates, "gate", fail)
    with pytest.raises(ValueError):
        runner.run_step(Night(small), Step("gate_staging", "gates", "gate", ("staging",)))
    (posted,) = hook.posted
    assert "unexpected ValueError" in posted["text"]
    assert "example.org" not in posted["text"]


def test_a_step_that_is_slow_is_told(
    small: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(
        small,
        "insert into ops.run_log select '2026010' || i, 'gate_raw', 'done', '', null,"
        " timestamp '2026-01-01' + to_days(i::int), 0.001 from range(5) as nights (i)",
    )
    step = Step("gate_raw", "gates", "gate", ("raw",))
    runner.run_step(Night(small, run_id=small_warehouse.RUN_ID), step)
    assert hook.posted == []  # Longer than three times, but not by a minute.
    monkeypatch.setattr("apportion.status.SLOW_SECONDS", 0)
    runner.run_step(Night(small, run_id=small_warehouse.RUN_ID), step)
    (posted,) = hook.posted
    assert "gate_raw took" in posted["text"] and "the median of the nights before" in posted["text"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(
    hook: Hook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    other = Hook()
    hook.status, hook.location = status, other.address
    with caplog.at_level(logging.INFO):
        assert alerts.send("r1", "text") is False
    assert other.asked == []
    assert f"the answer was {status}" in caplog.text
    assert SECRET not in caplog.text
    other.server.shutdown()
    other.server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        f"file:///etc/{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"127.0.0.1/{SECRET}",
        f"http:///{SECRET}",
        f"http://[{SECRET}",
        f"http://127.0.0.1:1/{SECRET}",
        f"http://127.0.0.1:x/{SECRET}",
        f"http://127.0.0.1:1/{SECRET} with space",
    ],
)
def test_address_that_is_none_is_said_without_it(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(alerts.ADDRESS, address)
    with caplog.at_level(logging.INFO):
        assert alerts.send("r1", "text") is False
    assert "sent=False" in caplog.text
    assert SECRET not in caplog.text


def test_hook_that_refuses_does_not_stop_the_night(
    small: Settings, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 500
    plant(small, "update raw.orders set revenue = 0")
    with caplog.at_level(logging.INFO):
        said = gates.gate(Night(small, run_id=small_warehouse.RUN_ID), "raw")
    assert "The alert could not be sent" in said
    assert SECRET not in caplog.text + said


def test_without_an_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(alerts.ADDRESS, raising=False)
    monkeypatch.setattr(alerts, "_post", lambda *arguments: pytest.fail("posted"))
    assert alerts.send("r1", "text") is None


def test_log_of_a_failed_step_does_not_hold_the_address(
    small: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> str:
        raise ApportionError("the disk is full", "make room")

    monkeypatch.setattr(gates, "gate", fail)
    night = Night(small)
    with pytest.raises(ApportionError):
        runner.run_step(night, Step("gate_staging", "gates", "gate", ("staging",)))
    assert hook.posted[0]["text"].endswith("gate_staging failed: the disk is full\nnext: make room")
    text = "".join(path.read_text() for path in small.logs.glob("*.log"))
    assert "sent=True" in text
    assert SECRET not in text
