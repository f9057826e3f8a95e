"""The report: one page of charts and tables, built from a published file and nothing else.

`index.html` holds the numbers, the styles and the code; `plotly.min.js` lies beside it, out of the
installed package. Both open from the file system, and no request leaves the page.
"""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
import math
from dataclasses import asdict
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from apportion import logs, warehouse
from apportion.report import findings
from apportion.report.contents import CARDS, DATASETS, PAGES, Dataset

# The dbt vars that the report needs; the manifest of a version holds them.
SETTINGS = ("reporting_currency", "default_attribution_model", "min_segment_size")
FOLDER = "report"
INDEX = "index.html"
PLOTLY = "plotly.min.js"
# Decimals kept: money has two, a rate four.
DECIMALS = 4
NUMERIC = {"BIGINT", "INTEGER", "HUGEINT", "UBIGINT", "SMALLINT", "DOUBLE", "FLOAT"}


def build(version: Path, facts: dict[str, Any]) -> Path:
    """Write `<version>/report/` from the DuckDB file of the version.

    Args:
        version: folder of a version, with its DuckDB file written.
        facts: what the manifest says: run_id, as_of, published_at, gates, settings.

    Returns:
        The page.
    """
    import jinja2

    folder = version / FOLDER
    folder.mkdir()
    with warehouse.connect(version / "apportion.duckdb", read_only=True, sealed=True) as connection:
        tables = _tables(connection)
        connection.execute("use marts")
        variables = {
            "default_model": facts["settings"]["default_attribution_model"],
            "min_people": facts["settings"]["min_segment_size"],
            "as_of": dt.datetime.fromisoformat(facts["as_of"]),
        }
        contents = {
            "settings": facts["settings"],
            "datasets": {
                dataset.name: _read(connection, dataset, tables, variables) for dataset in DATASETS
            },
            "cards": [asdict(card) for card in CARDS],
        }
        told = findings.find(connection, tables, facts)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("apportion.report", ""), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("page.html").render(
        facts=facts,
        findings=told,
        pages=PAGES,
        cards=CARDS,
        trust=findings.trust(facts),
        style=resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8"),
        code=resources.files(__package__).joinpath("page.js").read_text(encoding="utf-8"),
        contents=_packed(contents),
    )
    (folder / INDEX).write_text(page, encoding="utf-8")
    plotly = resources.files("plotly").joinpath("package_data", PLOTLY)
    (folder / PLOTLY).write_bytes(plotly.read_bytes())
    return folder / INDEX


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
        says = f"This published file has no table {', '.join(absent)}: it cannot be shown."
        return {"rows": 0, "columns": {}, "kinds": {}, "missing": says}
    used = {name: value for name, value in variables.items() if f"${name}" in dataset.query}
    try:
        cursor = connection.execute(dataset.query, used)
    except duckdb.BinderException as error:
        # A table of another version of the project; the page says so, and the log.
        says = f"{', '.join(dataset.tables)}: {str(error).splitlines()[0]}"
        logs.LOGGER.warning(logs.line(report_without=dataset.name, reason=says))
        return {"rows": 0, "columns": {}, "kinds": {}, "missing": f"It cannot be shown. {says}"}
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
        name: _column([row[place] for row in rows], text=name not in kinds)
        for place, name in enumerate(names)
    }
    return {"rows": len(rows), "columns": columns, "kinds": kinds, "missing": dataset.missing}


def _column(values: list[Any], *, text: bool) -> dict[str, Any]:
    if not text:
        return {"numbers": [_number(value) for value in values]}
    texts = [_text(value) for value in values]
    places = {value: place for place, value in enumerate(dict.fromkeys(texts))}
    return {"values": list(places), "codes": [places[value] for value in texts]}


def _number(value: Any) -> float | int | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        value = round(value, DECIMALS) if math.isfinite(value) else None
        return int(value) if value is not None and value == int(value) else value
    return int(value)


def _text(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return str(value)


def _packed(contents: Any) -> str:
    """JSON, gzip, Base64: a fifth of the size, and nothing in it can end its element."""
    text = json.dumps(contents, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
