"""The audit of packages: what is weak stops, what cannot be asked does not."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "audit", Path(__file__).resolve().parents[1] / "audit.py"
)
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

SOUND = {"name": "duckdb", "version": "1.5.6", "vulns": []}
WEAK = {
    "name": "jinja2",
    "version": "3.1.5",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.1.6"], "aliases": []}],
}
UNKNOWN = {"name": "a2wsgi", "skip_reason": "Dependency not found on PyPI"}


def answer(*packages: dict) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def test_a_weakness_stops_and_names_its_mend() -> None:
    lines, status = audit.judged(answer(SOUND, UNKNOWN, WEAK), "")
    assert status == 1
    assert lines[0] == "audit: jinja2 3.1.5 has PYSEC-2026-1; mended in 3.1.6"
    assert "make lock" in lines[1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(SOUND), "no known weakness in 1 packages"),
        (answer(SOUND, UNKNOWN), "1 of 2 packages are not known"),
        ("", "not done, the advisories cannot be reached (no route)"),
        ("null", "not done, the advisories cannot be reached (no route)"),
    ],
)
def test_what_is_sound_or_cannot_be_asked_passes_and_is_told(said: str, expected: str) -> None:
    lines, status = audit.judged(said, "first\nno route\n")
    assert status == 0
    assert expected in lines[0]
