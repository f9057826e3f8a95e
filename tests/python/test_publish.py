"""Publishing: complete or not at all, whatever happens in between, and never in a reader's way."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from small_warehouse import RUN_ID, build

from apportion import publish, warehouse
from apportion.errors import ApportionError, GateFailed, UsageError, WarehouseBusy
from apportion.night import Night
from apportion.settings import Settings

LATER = "20260201T020000Z"


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = build(tmp_path_factory.mktemp("ready") / "data")
    green(settings, RUN_ID)
    return settings


@pytest.fixture
def small(ready: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(ready.data, tmp_path / "data")
    return Settings(tmp_path / "data", tmp_path / "data" / "landing")


def green(settings: Settings, run_id: str) -> None:
    """What the gates leave behind when they say yes."""
    execute(
        settings,
        f"""
        insert into ops.quality_results values (
            '{run_id}', 'marts', 'credits.credit_gap', 'critical', true, 'no row unexpected',
            'a reason', now()::timestamp
        )
        """,
    )


def execute(settings: Settings, sql: str) -> None:
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(sql)


def night(settings: Settings, run_id: str) -> str:
    green(settings, run_id)
    return publish.publish(Night(settings, run_id))


def read(settings: Settings, query: str) -> list[tuple]:
    with warehouse.connect(settings.published / publish.DATABASE, read_only=True) as connection:
        return connection.execute(query).fetchall()


def version(settings: Settings) -> str:
    """Mark the warehouse, to see later which night is published."""
    return read(settings, "select max(country) from marts.user_profiles")[0][0]


def leftovers(settings: Settings) -> list[str]:
    return [path.name for path in settings.data.rglob("*") if publish.PARTIAL in path.name]


def test_everything_of_the_marts_is_published(small: Settings) -> None:
    said = publish.publish(Night(small, RUN_ID))
    assert small.published.readlink() == Path("versions") / RUN_ID
    with warehouse.connect(small.warehouse, read_only=True) as connection:
        tables = {
            table: connection.execute(f"select count(*) from marts.{table}").fetchone()[0]
            for (table,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'marts'"
            ).fetchall()
        }
        revenue = connection.execute("select sum(revenue) from marts.conversions").fetchone()
    assert len(tables) == 11
    assert f"published {len(tables)} tables, {sum(tables.values()):,} rows" in said
    kinds = read(
        small,
        "select table_name, table_type from information_schema.tables where table_schema = 'marts'",
    )
    assert dict(kinds) == dict.fromkeys(tables, "BASE TABLE")
    for table, rows in tables.items():
        assert read(small, f"select count(*) from marts.{table}") == [(rows,)]
        parquet = small.published / "parquet" / f"{table}.parquet"
        assert duckdb.sql(f"select count(*) from '{parquet}'").fetchone() == (rows,)
    assert read(small, "select sum(revenue) from marts.conversions") == [revenue]
    assert leftovers(small) == []


def test_the_manifest_says_what_it_was_made_of(small: Settings) -> None:
    publish.publish(Night(small, RUN_ID))
    manifest = json.loads((small.published / publish.MANIFEST).read_text())
    assert manifest["run_id"] == RUN_ID
    assert manifest["as_of"] == "2026-01-31T00:00:00"
    assert manifest["tables"]["conversions"] == {"rows": 120}
    assert [(file["dataset"], len(file["sha256"])) for file in manifest["inputs"]] == [
        ("contacts", 32),
        ("events", 32),
        ("order_items", 32),
        ("orders", 32),
    ]
    assert manifest["gates"] == [
        {
            "stage": "marts",
            "check": "credits.credit_gap",
            "severity": "critical",
            "success": True,
            "observed": "no row unexpected",
        }
    ]
    assert manifest["git_commit"] is None or len(manifest["git_commit"].rstrip("+")) == 40


def test_descriptions_of_dbt_become_comments(small: Settings) -> None:
    small.target.mkdir()
    node = {
        "resource_type": "model",
        "schema": "marts",
        "alias": "conversions",
        "description": "Grain: one row per\nconversion; it's money.",
        "columns": {"revenue": {"description": "In USD."}, "gone": {"description": "Not there."}},
    }
    other = {**node, "alias": "never_built"}
    (small.target / "manifest.json").write_text(json.dumps({"nodes": {"a": node, "b": other}}))
    publish.publish(Night(small, RUN_ID))
    comments = read(
        small,
        "select comment from duckdb_tables() where table_name = 'conversions' union all "
        "select comment from duckdb_columns() where comment is not null",
    )
    assert comments == [("Grain: one row per conversion; it's money.",), ("In USD.",)]


def test_the_file_is_in_a_storage_version_that_older_clients_open(small: Settings) -> None:
    publish.publish(Night(small, RUN_ID))
    with warehouse.connect(":memory:") as connection:
        connection.execute(f"attach '{small.published / publish.DATABASE}' as v (read_only)")
        tags = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = 'v'"
        ).fetchone()
    assert tags == ("v1.0.0+",)


def test_a_version_is_read_only(small: Settings) -> None:
    publish.publish(Night(small, RUN_ID))
    files = [path for path in small.published.resolve().rglob("*") if path.is_file()]
    assert len(files) == 16
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}


def test_the_data_folder_can_be_moved(small: Settings, tmp_path: Path) -> None:
    publish.publish(Night(small, RUN_ID))
    small.data.rename(tmp_path / "moved")
    moved = Settings(tmp_path / "moved", tmp_path / "moved" / "landing")
    assert read(moved, "select count(*) from marts.conversions") == [(120,)]


def test_only_the_run_that_the_gates_let_through_is_published(small: Settings) -> None:
    with pytest.raises(GateFailed, match="its marts were not judged") as raised:
        publish.publish(Night(small, LATER))
    assert raised.value.exit_status == 3
    publish.publish(Night(small, RUN_ID))
    execute(
        small,
        f"insert into ops.quality_results values ('{LATER}', 'raw', 'a', 'warning', true, '', '', "
        "now()::timestamp)",
    )
    with pytest.raises(GateFailed, match=f"run {LATER} has changed the warehouse since"):
        publish.publish(Night(small, RUN_ID))
    green(small, LATER)
    execute(
        small,
        f"insert into ops.quality_results values ('{LATER}', 'staging', 'ids.a', 'critical', "
        "false, '', '', now()::timestamp)",
    )
    with pytest.raises(GateFailed, match=r"critical checks failed: ids\.a"):
        publish.publish(Night(small, LATER))
    assert publish.current_version(small) == RUN_ID


def test_a_clock_that_went_back_does_not_stop_publishing(small: Settings) -> None:
    night(small, LATER)
    execute(small, 'update ops.quality_results set "at" = "at" + interval 2 days')
    night(small, f"{RUN_ID}-behind")
    assert publish.current_version(small) == f"{RUN_ID}-behind"


def test_warnings_and_held_batches_do_not_stop_publishing(small: Settings) -> None:
    execute(
        small,
        f"insert into ops.quality_results values "
        f"('{RUN_ID}', 'raw', 'a', 'critical', false, '', '', timestamp '2026-01-31'), "
        f"('{RUN_ID}', 'marts', 'b', 'warning', false, '', '', timestamp '2026-01-31')",
    )
    publish.publish(Night(small, RUN_ID))
    assert publish.current_version(small) == RUN_ID


STEPS = [
    "_require_room",
    "_write",
    "_write_manifest",
    "_verify",
    "_seal",
    "_name",
    "_switch",
    "_remove",
    "_prune",
]


@pytest.mark.parametrize("is_again", [False, True], ids=["new_run", "same_run_again"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_a_whole_version_published(
    small: Settings,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    when: str,
    is_again: bool,
) -> None:
    night(small, RUN_ID)
    execute(small, "update marts.user_profiles set country = 'NEW'")
    run_id = RUN_ID if is_again else LATER
    original = getattr(publish, step)

    def broken(*arguments: object) -> object:
        if when == "after":
            original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publish, step, broken)
        with pytest.raises(KeyboardInterrupt):
            night(small, run_id)
    # What is published is one whole night: the old one until the last rename, then the new one.
    late = {("_switch", "after"), ("_name", "after"), ("_prune", "before"), ("_prune", "after")}
    assert version(small) == ("NEW" if (step, when) in late else "AT")
    assert read(small, "select count(*) from marts.conversions") == [(120,)]
    night(small, run_id)
    assert version(small) == "NEW"
    assert json.loads((small.published / publish.MANIFEST).read_text())["run_id"] == run_id
    assert leftovers(small) == []


def test_a_run_that_is_in_use_is_published_again_beside_it(small: Settings) -> None:
    night(small, RUN_ID)
    in_hand = small.published.resolve()
    execute(small, "update marts.user_profiles set country = 'NEW'")
    night(small, RUN_ID)
    assert publish.current_version(small) == f"{RUN_ID}-02"
    assert version(small) == "NEW"
    assert in_hand.is_dir()
    night(small, RUN_ID)
    assert publish.list_versions(small) == [RUN_ID, f"{RUN_ID}-02", f"{RUN_ID}-03"]


def test_a_version_of_the_run_that_is_not_in_use_is_replaced(small: Settings) -> None:
    night(small, RUN_ID)
    night(small, LATER)
    publish.rollback(small)
    execute(small, "update marts.user_profiles set country = 'NEW'")
    night(small, LATER)
    assert version(small) == "NEW"
    assert publish.list_versions(small) == [RUN_ID, LATER]


def test_a_process_killed_while_publishing_leaves_the_old_version(small: Settings) -> None:
    night(small, RUN_ID)
    green(small, LATER)
    code = (
        "import os, sys; from pathlib import Path; from apportion import publish;"
        "from apportion.night import Night; from apportion.settings import Settings;"
        "publish._seal = lambda folder: os._exit(9);"
        f"publish.publish(Night(Settings(Path({str(small.data)!r}), Path('x')), {LATER!r}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert f"{LATER}.partial" in leftovers(small)
    assert publish.current_version(small) == RUN_ID
    assert publish.list_versions(small) == [RUN_ID]
    publish.publish(Night(small, LATER))
    assert publish.current_version(small) == LATER
    assert leftovers(small) == []


def test_a_version_that_differs_from_the_warehouse_is_not_published(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = publish._write
    damages = {
        "delete from marts.conversions where conversion_id = 'o1'": "conversions.rows",
        "update marts.conversions set revenue = revenue + 0.0001 where conversion_id = 'o1'": (
            "conversions.revenue"
        ),
        "update marts.attribution_credits set credit = credit + 1e-3 where conversion_id = 'o1'": (
            "attribution_credits.credit"
        ),
        "drop table marts.sessions": "tables",
    }
    for damage, named in damages.items():

        def damaged(settings: Settings, partial: Path, damage: str = damage) -> dict[str, int]:
            tables = write(settings, partial)
            with warehouse.connect(partial / publish.DATABASE) as connection:
                connection.execute(damage)
            return tables

        monkeypatch.setattr(publish, "_write", damaged)
        with pytest.raises(ApportionError, match=named):
            publish.publish(Night(small, RUN_ID))
        assert not small.published.exists()
        assert leftovers(small) == []


def test_a_full_disk_is_said_before_anything_is_written(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(small.data)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(ApportionError, match="0 MB are free") as raised:
        publish.publish(Night(small, RUN_ID))
    assert "make room" in raised.value.next_step
    assert publish.list_versions(small) == []


def test_a_disk_that_fills_up_is_told_and_leaves_nothing(
    small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish, "_write_manifest", full)
    with pytest.raises(ApportionError, match="No space left on device"):
        publish.publish(Night(small, RUN_ID))
    assert leftovers(small) == []


def test_the_last_versions_are_kept_and_the_one_in_use(small: Settings) -> None:
    runs = [f"2026020{number}T020000Z" for number in range(1, 7)]
    for run_id in runs[:4]:
        said = night(small, run_id)
    assert f"removed {runs[0]}" in said
    assert publish.list_versions(small) == runs[1:4]
    publish.rollback(small, runs[1])
    assert publish.current_version(small) == runs[1]
    night(small, runs[4])
    assert publish.list_versions(small) == runs[2:5]


def test_rollback_goes_to_the_version_before_or_to_the_one_that_is_named(small: Settings) -> None:
    runs = [f"2026020{number}T020000Z" for number in range(1, 4)]
    for run_id in runs:
        execute(small, f"update marts.user_profiles set country = '{run_id}'")
        night(small, run_id)
    assert version(small) == runs[2]
    assert f"{runs[1]} (was {runs[2]})" in publish.rollback(small)
    assert version(small) == runs[1]
    publish.rollback(small)
    assert version(small) == runs[0]
    with pytest.raises(UsageError, match="no version before"):
        publish.rollback(small)
    publish.rollback(small, runs[2])
    assert version(small) == runs[2]
    for name in ("nothing", "../versions", f"{runs[0]}.partial", ""):
        with pytest.raises(UsageError, match="there is no version") as raised:
            publish.rollback(small, name)
        assert raised.value.exit_status == 2
        assert runs[0] in raised.value.what
    assert version(small) == runs[2]


def test_rollback_does_not_switch_to_a_damaged_version(small: Settings) -> None:
    for run_id in (RUN_ID, LATER):
        night(small, run_id)
    database = small.versions / RUN_ID / publish.DATABASE
    database.chmod(0o644)
    with warehouse.connect(database) as connection:
        connection.execute("delete from marts.conversions where conversion_id = 'o1'")
    with pytest.raises(ApportionError, match="is damaged: conversions has 119 rows, not 120"):
        publish.rollback(small)
    database.write_bytes(b"nothing")
    with pytest.raises(ApportionError):
        publish.rollback(small)
    assert publish.current_version(small) == LATER


def test_before_the_first_version_there_is_nothing_to_roll_back_to(small: Settings) -> None:
    with pytest.raises(UsageError, match="no version before"):
        publish.rollback(small)


def test_one_process_publishes_at_a_time(small: Settings) -> None:
    with publish._alone(small), pytest.raises(WarehouseBusy, match="another process"):
        publish.publish(Night(small, RUN_ID))


def test_a_busy_warehouse_is_said(small: Settings) -> None:
    code = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(small.warehouse)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout.readline() == "open\n"
            with pytest.raises(WarehouseBusy):
                publish.publish(Night(small, RUN_ID))
        finally:
            holder.kill()


READER = """
import sys, duckdb
from pathlib import Path
published, stop = Path(sys.argv[1]), Path(sys.argv[2])
queries = seen = 0
last = None
held = duckdb.connect(str(published / "apportion.duckdb"), read_only=True)
first = held.execute("select max(country) from marts.user_profiles").fetchone()
print("reading", flush=True)
while not stop.exists():
    if queries % 2:  # each other time a new client, which sees the new version
        database = (published / "apportion.duckdb").resolve()
        with duckdb.connect(str(database), read_only=True) as connection:
            rows, country = connection.execute(
                "select count(*), max(country) from marts.user_profiles"
            ).fetchone()
        assert rows == 12, rows
        seen += country != last
        last = country
    else:  # and one that stays with the version that it opened
        assert held.execute("select max(country) from marts.user_profiles").fetchone() == first
        assert held.execute("select count(*) from marts.conversions").fetchone() == (120,)
    queries += 1
print(queries, seen, flush=True)
"""


def test_three_readers_work_through_twenty_publishes(small: Settings, tmp_path: Path) -> None:
    night(small, "run00")
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(small.published), str(stop)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    readers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        assert [reader.stdout.readline() for reader in readers] == ["reading\n"] * 3
        for number in range(1, 21):
            # Every other time the run that is in use is published again.
            run_id = f"run{number - number % 2:02}"
            execute(small, f"update marts.user_profiles set country = 'version{number}'")
            night(small, run_id)
        stop.touch()
        outputs = [reader.communicate(timeout=30) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    for reader, (output, errors) in zip(readers, outputs, strict=True):
        assert reader.returncode == 0, errors
        queries, seen = map(int, output.split())
        assert queries > 100
        assert seen >= 15


def test_a_writer_does_not_keep_readers_out(small: Settings) -> None:
    night(small, RUN_ID)
    with warehouse.connect(small.warehouse) as connection:
        connection.execute("create table ops.held as select 1 as one")
        code = (
            "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True)"
            ".execute('select count(*) from marts.conversions').fetchone()[0])"
        )
        output = subprocess.run(
            [sys.executable, "-c", code, str(small.published / publish.DATABASE)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert output == "120\n"
