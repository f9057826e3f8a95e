"""Data Docs: what the gates of a run expected and observed, on one page that asks nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import small_warehouse

from apportion import data_docs, gates, publish, warehouse
from apportion.night import Night
from apportion.settings import Settings

RUN_ID = small_warehouse.RUN_ID


@pytest.fixture
def small(tmp_path: Path) -> Settings:
    return small_warehouse.build(tmp_path / "data")


def page_of(settings: Settings) -> str:
    path = settings.published / data_docs.FOLDER / data_docs.INDEX
    return path.read_text(encoding="utf-8")


def test_a_version_holds_what_its_gates_observed(small: Settings) -> None:
    with warehouse.connect(small.warehouse) as connection:
        # What fails in raw holds a batch; the night goes on, and the page tells.
        connection.execute(
            "update raw.events set event_id = null where event_id in ('e1', 'e2');"
            "delete from ops.quality_results where stage = 'raw'"
        )
    for stage in ("raw", "marts"):
        gates.gate(Night(small, RUN_ID), stage)
    publish.publish(Night(small, RUN_ID))
    page = page_of(small)
    with warehouse.connect(small.warehouse, read_only=True) as connection:
        checks, met, failed = connection.execute(
            'select count(*), countif(success), list("check") filter (not success)'
            " from ops.quality_results where run_id = ?",
            [RUN_ID],
        ).fetchone()
    assert f"<h1>{met} of {checks} expectations met</h1>" in page
    assert "events.events_without_id.expect_column_values_to_be_between" in failed
    assert page.count("<strong>Not met.</strong>") == len(failed)
    assert "events_without_id = 2" in page
    assert "<script" not in page and "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"?https?:", page)


def test_a_gate_again_replaces_its_pages_and_those_of_earlier_runs(small: Settings) -> None:
    def kept() -> list[tuple]:
        with warehouse.connect(small.warehouse, read_only=True) as connection:
            return connection.execute(
                "select distinct run_id, stage, count(*) over () from ops.data_docs"
            ).fetchall()

    gates.gate(Night(small, RUN_ID), "staging")
    once = kept()
    gates.gate(Night(small, RUN_ID), "staging")
    assert kept() == once
    gates.gate(Night(small, "20990101T000000Z"), "staging")
    assert kept() == [("20990101T000000Z", "staging", once[0][2])]
