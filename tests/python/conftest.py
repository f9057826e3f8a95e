"""What every test may use: the project, an empty installation, a night on the small world."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from small_world import write_small_world

from apportion.settings import PROJECT, Settings

# Seconds per night that hundreds of nights of tests would pay; test_segments_ml turns it on.
os.environ["APPORTION_FIRST_TRAINING"] = "off"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["GX_ANALYTICS_ENABLED"] = "false"
os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
for name in (
    "APPORTION_ALERT_URL",
    "APPORTION_DATA",
    "APPORTION_LANDING",
    "APPORTION_PII_SALT",
):
    os.environ.pop(name, None)

Apportion = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the project."""
    return PROJECT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty installation; neither folder exists yet."""
    return Settings(tmp_path / "data", tmp_path / "landing")


@pytest.fixture
def land(settings: Settings) -> Callable[[str, Iterable[Mapping[str, object]] | str | bytes], Path]:
    """Write one landing file: `land("orders/a.jsonl", [{...}])`, or text or bytes as they are."""

    def write(name: str, content: Iterable[Mapping[str, object]] | str | bytes) -> Path:
        path = settings.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            lines = (json.dumps(row) + "\n" for row in content)
            path.write_text("".join(lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def apportion() -> Apportion:
    """Run the command line in a process of its own, as people do: `apportion("status", ...)`."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "apportion.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            **options,
        )

    return run


@pytest.fixture(scope="session")
def small_night(tmp_path_factory: pytest.TempPathFactory, apportion: Apportion) -> Settings:
    """An installation after one night on the small world; read it, do not change it."""
    folder = tmp_path_factory.mktemp("small")
    settings = Settings(folder / "data", folder / "landing")
    write_small_world(settings.landing)
    result = apportion("run", "--landing", settings.landing, "--data", settings.data)
    assert result.returncode == 0, result.stdout + result.stderr
    return settings
