"""The doctor: all is well after a night, and each thing that can be wrong is told with its mend."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_warehouse import RUN_ID, build

from apportion import doctor, last_good, lock, publish, warehouse
from apportion.doctor import FAIL, OK, WARN, Finding
from apportion.night import Night
from apportion.settings import Settings


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    before = os.umask(0o077)
    try:
        settings = build(tmp_path_factory.mktemp("healthy") / "data")
        with warehouse.connect(settings.warehouse) as connection:
            connection.execute(
                f"insert into ops.quality_results values ('{RUN_ID}', 'marts', 'a', 'critical',"
                " true, '', '', now()::timestamp)"
            )
        publish.publish(Night(settings, RUN_ID))
        (settings.landing / "orders").mkdir()
        (settings.landing / "orders" / "a.csv").write_text("order_id\n")
    finally:
        os.umask(before)
    return settings


@pytest.fixture
def ill(healthy: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(healthy.data, tmp_path / "data", symlinks=True)
    return Settings(tmp_path / "data", tmp_path / "data" / "landing")


def look(settings: Settings, name: str) -> Finding:
    for finding in doctor.examine(settings):
        if finding.name == name:
            return finding
    raise AssertionError(f"no look is called {name}")


def test_a_healthy_installation_is_well(healthy: Settings) -> None:
    findings = list(doctor.examine(healthy))
    assert [finding.name for finding in findings] == list(doctor.LOOKS)
    assert {finding.level for finding in findings} == {OK}, findings
    assert not any(finding.mend for finding in findings)


def test_the_command_is_one_line_per_look_and_fails_where_one_does(
    apportion, ill: Settings
) -> None:
    where = ("--data", ill.data, "--landing", ill.landing)
    well = apportion("doctor", *where)
    assert well.returncode == 0, well.stdout + well.stderr
    assert len(well.stdout.splitlines()) == len(doctor.LOOKS)
    (ill.data / "pii_salt").chmod(0o644)
    failed = apportion("doctor", *where)
    assert failed.returncode == 1
    (line,) = (line for line in failed.stdout.splitlines() if line.startswith("FAIL"))
    assert f"next: chmod 600 {ill.data / 'pii_salt'}" in line


def test_before_the_first_night_nothing_is_missing(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "data", tmp_path / "landing")
    levels = {finding.name: finding.level for finding in doctor.examine(settings)}
    assert levels.pop("landing") == WARN
    assert set(levels.values()) == {OK}
    assert not settings.data.exists()


def test_another_python(monkeypatch: pytest.MonkeyPatch, healthy: Settings) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    assert look(healthy, "python").level == FAIL


def test_packages_of_another_version(monkeypatch: pytest.MonkeyPatch, healthy: Settings) -> None:
    original = importlib.metadata.version

    def version(name: str) -> str:
        if name == "plotly":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0" if name == "duckdb" else original(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = look(healthy, "packages")
    assert found.level == FAIL
    assert "duckdb is 1.0, not" in found.told and "plotly is missing" in found.told
    assert "make environment" in found.mend


def test_a_folder_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, healthy: Settings
) -> None:
    def refused(descriptor: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", refused)
    found = look(healthy, "data folder")
    assert (found.level, "Permission denied" in found.told) == (FAIL, True)


def test_a_warehouse_that_others_can_read(ill: Settings) -> None:
    ill.data.chmod(0o755)
    assert look(ill, "data folder").level == OK
    ill.warehouse.chmod(0o644)
    found = look(ill, "data folder")
    assert (found.level, found.mend) == (WARN, f"chmod -R go= {ill.data}")
    ill.data.chmod(0o700)
    assert look(ill, "data folder").level == OK


@pytest.mark.parametrize(("times", "level"), [(5, OK), (3, WARN), (1, FAIL)])
def test_a_disk_with_little_room(
    monkeypatch: pytest.MonkeyPatch, healthy: Settings, times: int, level: str
) -> None:
    usage = shutil.disk_usage(healthy.data)
    free = times * healthy.warehouse.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    assert look(healthy, "disk").level == level


def test_a_clock_that_went_back(monkeypatch: pytest.MonkeyPatch, ill: Settings) -> None:
    later = ill.warehouse.stat().st_mtime + 7200
    os.utime(ill.warehouse, (later, later))
    assert look(ill, "clock").level == WARN
    monkeypatch.setattr(doctor, "EARLIEST", doctor.dt.datetime(2999, 1, 1, tzinfo=doctor.dt.UTC))
    assert look(ill, "clock").level == FAIL


def test_a_salt_that_others_can_read_or_that_is_gone(ill: Settings) -> None:
    path = ill.data / "pii_salt"
    path.chmod(0o640)
    assert look(ill, "salt").level == FAIL
    path.chmod(0o600)
    assert look(ill, "salt").level == OK
    path.write_text("")
    assert "empty" in look(ill, "salt").told
    path.unlink()
    found = look(ill, "salt")
    assert (found.level, "backup" in found.mend) == (FAIL, True)


def test_a_landing_folder_with_strangers(ill: Settings) -> None:
    (ill.landing / "ordres").mkdir()
    found = look(ill, "landing")
    assert (found.level, "ordres" in found.told) == (WARN, True)
    (ill.landing / "vars.yml").write_text("broken: [1")
    assert look(ill, "landing").level == FAIL
    shutil.rmtree(ill.landing)
    assert look(ill, "landing").level == WARN


def damage(file: Path) -> None:
    """Break a block of a DuckDB file that holds rows, so that its checksum tells."""
    with warehouse.connect(file) as connection:
        connection.execute("create table raw.filler as select hash(i) as h from range(200000) t(i)")
        block = connection.execute(
            "select max(block_id) from pragma_storage_info('raw.filler')"
        ).fetchone()[0]
        size = connection.execute("select block_size from pragma_database_size()").fetchone()[0]
    with file.open("r+b") as opened:
        opened.seek(3 * 4096 + block * size + 1000)
        opened.write(b"damaged!" * 100)


def test_a_damaged_warehouse(ill: Settings) -> None:
    damage(ill.warehouse)
    found = look(ill, "warehouse")
    assert (found.level, "is damaged" in found.told) == (FAIL, True)
    assert "apportion restore" in found.mend
    ill.warehouse.write_bytes(b"nothing")
    assert look(ill, "warehouse").level == FAIL


def test_a_warehouse_in_use_is_left_alone(ill: Settings) -> None:
    with lock.hold(ill, "some-run"):
        found = look(ill, "warehouse")
    assert (found.level, "some-run" in found.told) == (WARN, True)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ill.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "1\n"
        assert look(ill, "warehouse").level == WARN
        holder.communicate("\n", timeout=30)


def test_no_last_good_copy(ill: Settings) -> None:
    last_good.forget(ill)
    assert look(ill, "last good").level == WARN


def test_a_damaged_version(ill: Settings) -> None:
    database = ill.published.resolve() / publish.DATABASE
    database.chmod(0o644)
    with warehouse.connect(database) as connection:
        connection.execute("delete from marts.conversions where conversion_id = 'o1'")
    found = look(ill, "published")
    assert (found.level, found.mend) == (FAIL, "apportion rollback")
    shutil.rmtree(ill.versions)
    assert look(ill, "published").level == FAIL


def test_dags_that_do_not_parse(
    monkeypatch: pytest.MonkeyPatch, healthy: Settings, tmp_path: Path
) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "broken.py").write_text("import no_such_module")
    monkeypatch.setattr(doctor, "PROJECT", tmp_path)
    found = look_alone(healthy, "airflow")
    assert (found[0], "broken.py: ModuleNotFoundError" in found[1]) == (FAIL, True)
    monkeypatch.setattr(doctor, "_PARSE", "import no_such_airflow")
    assert look_alone(healthy, "airflow")[:1] == (FAIL,)


def look_alone(settings: Settings, name: str) -> tuple[str, ...]:
    return doctor.LOOKS[name](settings)
