"""What a connection cannot hold in memory: a place of its own, and nothing of it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apportion import lock, warehouse
from apportion.settings import Settings

# Sorts more than its memory holds, again and again; then says so, or dies with its folder full.
SPILLING = """
import os, signal, sys
from pathlib import Path
from apportion import warehouse

path, read_only, end = Path(sys.argv[1]), sys.argv[2] == "read", sys.argv[3]
with warehouse.connect(path, read_only=read_only) as connection:
    connection.execute("set memory_limit = '60MB'; set threads = 1")
    for _ in range(3):
        (total,) = connection.execute(
            "select sum(number * place)"
            " from (select number, row_number() over (order by mixed) as place from numbers)"
        ).fetchone()
        print(total, flush=True)
    if end == "killed":
        connection.execute("create temp table kept as from numbers order by mixed")
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation whose warehouse is one table, larger than the memory of who reads it."""
    settings = Settings.resolve(tmp_path / "data", tmp_path / "landing")
    settings.data.mkdir()
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(
            "create table numbers as"
            " select range as number, hash(range) as mixed from range(3_000_000)"
        )
    return settings


def spilling(settings: Settings, access: str, end: str) -> subprocess.Popen[str]:
    """Start a process that reads or writes the warehouse with too little memory."""
    return subprocess.Popen(
        [sys.executable, "-c", SPILLING, str(settings.warehouse), access, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_two_readers_with_too_little_memory_do_not_disturb_each_other(settings: Settings) -> None:
    readers = [spilling(settings, "read", "whole") for _ in range(2)]
    said = [reader.communicate() for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0], said
    assert len({line for output, _ in said for line in output.split()}) == 1
    assert names(settings.data) == {settings.warehouse.name}


def test_the_next_run_removes_what_a_killed_process_left(settings: Settings) -> None:
    killed = spilling(settings, "write", "killed")
    assert killed.wait() == -signal.SIGKILL
    killed.stdout.close()
    killed.stderr.close()
    (left,) = (path for path in settings.data.iterdir() if path.is_dir())
    assert list(left.iterdir())
    alive = left.with_name(f"{settings.warehouse.name}.spill-{os.getpid()}-1")
    alive.mkdir()
    of_duckdb = settings.warehouse.with_name(f"{settings.warehouse.name}.tmp")
    of_duckdb.mkdir()
    with lock.hold(settings, "20261124T000000000000Z"):
        assert not left.exists()
        assert not of_duckdb.exists()
        assert alive.exists()


def test_a_connection_in_memory_spills_beside_the_file_that_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with warehouse.connect(":memory:", beside=settings.warehouse) as connection:
        connection.execute("set memory_limit = '40MB'")
        connection.execute("create table kept as from range(5_000_000) order by hash(range)")
        (folder,) = (path for path in settings.data.iterdir() if path.is_dir())
        assert list(folder.iterdir())
    assert names(elsewhere) == set()
    assert names(settings.data) == {settings.warehouse.name}
