"""The report: one page of charts and tables, built from a published file and nothing else.

`index.html` holds everything: numbers, styles, code, and Plotly out of the installed package. It
opens from the file system, can be sent as one file, and its own policy forbids every request and
every script but its own two, whatever a campaign is called.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
import math
from dataclasses import asdict
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from apportion import warehouse
from apportion.report import findings
from apportion.report.contents import CARDS, DATASETS, PAGES, Dataset

FOLDER = "report"
INDEX = "index.html"
DATABASE = "apportion.duckdb"
# Vars of dbt that the page needs.
SETTINGS = ("reporting_currency", "default_attribution_model")
# Decimals kept, by kind; money has two.
DECIMALS = {"count": 0, "number": 4, "money": 2, "percent": 5}
NUMERIC = {"BIGINT", "INTEGER", "HUGEINT", "UBIGINT", "SMALLINT", "DOUBLE", "FLOAT"}


def build(version: Path, facts: dict[str, Any]) -> Path:
    """Write `<version>/report/` from the DuckDB file of the version.

    Args:
        version: folder of a version, with its DuckDB file written.
        facts: what the manifest says: run_id, as_of, published_at, gates, and the settings
            reporting_currency and default_attribution_model.

    Returns:
        The page.
    """
    import jinja2

    with warehouse.connect(version / DATABASE, read_only=True) as connection:
        connection.execute("use marts")
        tables = _tables(connection)
        variables = {
            "default_model": facts["default_attribution_model"],
            "as_of": dt.datetime.fromisoformat(facts["as_of"]),
        }
        contents = {
            "facts": {name: facts[name] for name in SETTINGS},
            "datasets": {
                dataset.name: _read(connection, dataset, tables, variables) for dataset in DATASETS
            },
            "cards": [asdict(card) for card in CARDS],
        }
        told = findings.find(connection, tables, facts)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__, ""), autoescape=True, trim_blocks=True
    )
    plotly = resources.files("plotly").joinpath("package_data", "plotly.min.js")
    # On lines of their own: what is hashed is exactly what stands between the tags.
    scripts = [plotly.read_text(encoding="utf-8"), _file("page.js")]
    page = environment.get_template("page.html").render(
        facts=facts,
        trust=findings.trust(facts),
        findings=told,
        pages=PAGES,
        cards=CARDS,
        style=_file("page.css"),
        scripts=scripts,
        hashes=[_sha256(script) for script in scripts],
        contents=_packed(contents),
    )
    (version / FOLDER).mkdir()
    (version / FOLDER / INDEX).write_text(page, encoding="utf-8")
    return version / FOLDER / INDEX


def _file(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    """The name of a script in a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
    }


def _read(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    tables: set[str],
    variables: dict[str, Any],
) -> dict[str, Any]:
    """The rows of a dataset by column: texts as codes into a list of values, numbers rounded."""
    absent = [table for table in dataset.tables if table not in tables]
    if absent:
        says = f"This published file has no table {' and no table '.join(absent)}."
        return {"rows": 0, "columns": {}, "kinds": {}, "missing": f"{says} {dataset.missing}"}
    used = {name: value for name, value in variables.items() if f"${name}" in dataset.query}
    cursor = connection.execute(dataset.query, used)
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    kinds = dataset.measures
    if kinds is None:
        kinds = {
            name: "count" if "INT" in str(kind) else "number"
            for name, kind, *_ in cursor.description
            if str(kind) in NUMERIC or str(kind).startswith("DECIMAL")
        }
    columns = {
        name: _column([row[place] for row in rows], kinds.get(name))
        for place, name in enumerate(names)
    }
    return {"rows": len(rows), "columns": columns, "kinds": kinds, "missing": dataset.missing}


def _column(values: list[Any], kind: str | None) -> dict[str, Any]:
    if kind:
        return {"numbers": [_number(value, DECIMALS[kind]) for value in values]}
    texts = [_text(value) for value in values]
    places = {value: place for place, value in enumerate(dict.fromkeys(texts))}
    return {"values": list(places), "codes": [places[value] for value in texts]}


def _number(value: Any, decimals: int) -> float | int | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        value = round(value, decimals) if math.isfinite(value) else None
        return int(value) if value is not None and value == int(value) else value
    return int(value)


def _text(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return str(value)


def _packed(contents: Any) -> str:
    """JSON, gzipped, in letters that mean nothing to HTML; the same for the same contents."""
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
