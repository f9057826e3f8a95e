"""BI tools: clients of several versions and kinds read the published file, while nights publish."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from small_warehouse import RUN_ID, build

from apportion import publish, warehouse
from apportion.night import Night
from apportion.settings import Settings

# The first and the later ones of those that the storage version was made for.
OLDER = ("1.0.0", "1.2.2", "1.3.2")
READ = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
tables = [row[0] for row in connection.execute(
    "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
).fetchall()]
rows = {t: connection.execute(f'select count(*) from marts."{t}"').fetchone()[0] for t in tables}
revenue = connection.execute("select cast(sum(revenue) as varchar) from marts.conversions")
print(json.dumps([duckdb.__version__, rows, revenue.fetchone()[0]]))
"""
# Opens the file by its published name again and again, until the word comes that all is done.
WATCH = """
import duckdb, pathlib, sys
seen, errors = [], []
print("watching", flush=True)
while not pathlib.Path(sys.argv[2]).exists():
    try:
        connection = duckdb.connect(sys.argv[1], read_only=True)
        country = "select max(country) from marts.user_profiles"
        seen.append(connection.execute(country).fetchone()[0])
        connection.close()
    except Exception as error:
        errors.append(str(error))
print(len(seen), sorted(set(seen)), errors[:3])
"""
REFLECT = """
import json, sys
import sqlalchemy
engine = sqlalchemy.create_engine(f"duckdb:///{sys.argv[1]}", connect_args={"read_only": True})
inspector = sqlalchemy.inspect(engine)
tables = inspector.get_table_names(schema="marts")
columns = {t: [c["name"] for c in inspector.get_columns(t, schema="marts")] for t in tables}
conversions = sqlalchemy.Table(
    "conversions", sqlalchemy.MetaData(), schema="marts", autoload_with=engine
)
with engine.connect() as connection:
    query = sqlalchemy.select(sqlalchemy.func.sum(conversions.c.revenue))
    revenue = str(connection.execute(query).scalar())
try:
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table mine (id integer)"))
    wrote = True
except sqlalchemy.exc.SQLAlchemyError:
    wrote = False
print(json.dumps([columns, revenue, wrote]))
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = build(tmp_path_factory.mktemp("bi") / "data")
    night(settings, RUN_ID)
    return settings


def night(settings: Settings, run_id: str) -> None:
    """Publish the warehouse as it is, as a night of which the gates say yes."""
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(
            "insert into ops.quality_results values "
            "(?, 'marts', 'credit', 'critical', true, '', '', now()::timestamp)",
            [run_id],
        )
    publish.publish(Night(settings, run_id))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory):
    """Python of an environment with the packages named; skips where no package index is reached."""
    folder = tmp_path_factory.mktemp("clients")

    def install(*packages: str) -> Path:
        home = folder / packages[0]
        python = home / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
            pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
            options = ["--retries", "0", "--timeout", "15", "--only-binary", ":all:"]
            installed = subprocess.run(
                [*pip, *options, *packages], capture_output=True, text=True, check=False
            )
            if installed.returncode:
                reason = installed.stderr.strip().splitlines()[-1]
                shutil.rmtree(home)
                pytest.skip(f"{', '.join(packages)} cannot be had here: {reason}")
        return python

    return install


def run(python: Path, code: str, *arguments: object) -> list:
    result = subprocess.run(
        [python, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def expected(settings: Settings) -> tuple[dict[str, int], str]:
    """Rows by table, and the revenue, that a client must see."""
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
        rows = {
            table: connection.execute(f"select count(*) from marts.{table}").fetchone()[0]
            for (table,) in tables
        }
        revenue = connection.execute(
            "select cast(sum(revenue) as varchar) from marts.conversions"
        ).fetchone()[0]
    return rows, revenue


@pytest.mark.parametrize("version", OLDER)
def test_older_clients_read_the_file(environment, published: Settings, version: str) -> None:
    python = environment(f"duckdb=={version}")
    answer = run(python, READ, published.published / publish.DATABASE)
    assert answer == [version, *expected(published)]


def test_older_clients_read_on_while_nights_publish(
    environment, published: Settings, tmp_path: Path
) -> None:
    """A client that opens the file again and again sees one version or the next, and no error."""
    python = environment(f"duckdb=={OLDER[-1]}")
    shutil.copytree(published.data, tmp_path / "data", symlinks=True)
    settings = Settings(tmp_path / "data", tmp_path / "data" / "landing")
    done = tmp_path / "done"
    with subprocess.Popen(
        [python, "-c", WATCH, str(settings.published / publish.DATABASE), str(done)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout.readline() == "watching\n", reader.stderr.read()
        countries = ["AT"]
        for number, country in enumerate(("BE", "CH"), start=1):
            with warehouse.connect(settings.warehouse) as connection:
                connection.execute("update marts.user_profiles set country = ?", [country])
                # The warehouse is held for writing, the published file is not.
                time.sleep(0.5)
            night(settings, f"2026020{number}T020000Z")
            countries.append(country)
            time.sleep(0.5)
        done.touch()
        said, errors = reader.communicate(timeout=60)
    count, told = said.split(" ", 1)
    assert int(count) > 10, errors
    assert told.strip() == f"{countries} []"


def test_sqlalchemy_reflects_and_reads_and_cannot_write(environment, published: Settings) -> None:
    """What Superset and Python notebooks use."""
    python = environment("duckdb-sqlalchemy==1.5.6.5", f"duckdb=={duckdb.__version__}")
    columns, revenue, wrote = run(python, REFLECT, published.published / publish.DATABASE)
    rows, expected_revenue = expected(published)
    assert set(columns) == set(rows)
    assert all(columns.values())
    assert revenue == expected_revenue
    assert wrote is False
