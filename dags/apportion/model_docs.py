"""The documentation of every model, as one static page in each version.

The page is dbt's own, with what dbt parsed and the columns of the warehouse put into it, as
`dbt docs generate --static` does. dbt itself is not started: all that is needed lies in the target
folder after a build, and a night then spends tenths of a second on it.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from apportion import logs, warehouse
from apportion.errors import UsageError
from apportion.settings import Settings

FOLDER = "docs"
INDEX = "index.html"
PROJECT_NAME = "apportion"
SCHEMAS = ("raw", "ops", "ml", "staging", "intermediate", "marts")
# The page may run what it holds, and ask nobody for anything: not for fonts, icons or statistics.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    'img-src data:; font-src data:">'
)
# What of a node tells of this machine or this night only, or is said elsewhere on the page.
LEFT_OUT = {"build_path", "compiled_path", "compiled_code", "checksum", "root_path"}


def build(settings: Settings, version: Path) -> Path | None:
    """Write `<version>/docs/index.html`.

    Args:
        settings: where dbt left its manifest, and the warehouse.
        version: folder of a version that is being written.

    Returns:
        The page; None where dbt left nothing to show, which the log then says.
    """
    parsed = settings.target / "manifest.json"
    if not parsed.is_file():
        logs.LOGGER.warning(logs.line(docs_without=parsed, reason="dbt has built nothing here"))
        return None
    manifest = _shown(json.loads(parsed.read_text(encoding="utf-8")))
    page = _template().read_text(encoding="utf-8")
    for place, contents in (("MANIFEST", manifest), ("CATALOG", _catalog(settings, manifest))):
        page = page.replace(f'"{place}.JSON INLINE DATA"', _embedded(contents))
    page = page.replace("<head>", f"<head>{POLICY}", 1)
    folder = version / FOLDER
    folder.mkdir()
    (folder / INDEX).write_text(page, encoding="utf-8")
    return folder / INDEX


def page(settings: Settings) -> Path:
    """The page of the version in use.

    Raises:
        UsageError: nothing is published, or the version was published without it.
    """
    path = settings.published / FOLDER / INDEX
    if not path.is_file():
        raise UsageError(
            f"there is no documentation in {settings.published}", "apportion run makes it"
        )
    return path


def _template() -> Path:
    """The page that dbt's package carries, found without importing dbt."""
    return Path(importlib.util.find_spec("dbt.task.docs").origin).with_name("index.html")


def _shown(manifest: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a manifest: no macros of dbt itself, nothing of this machine."""
    nodes = {
        unique_id: {name: value for name, value in node.items() if name not in LEFT_OUT}
        for unique_id, node in manifest.get("nodes", {}).items()
    }
    macros = {
        unique_id: macro
        for unique_id, macro in manifest.get("macros", {}).items()
        if macro["package_name"] == PROJECT_NAME
    }
    metadata = {**manifest.get("metadata", {}), "send_anonymous_usage_stats": False}
    return {**manifest, "metadata": metadata, "nodes": nodes, "macros": macros}


def _catalog(settings: Settings, manifest: dict[str, Any]) -> dict[str, Any]:
    """Columns and types of every relation that dbt knows, in the form of dbt's catalog."""
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        columns = connection.execute(
            """
            select schema_name, table_name, column_name, column_index, data_type
            from duckdb_columns()
            where database_name = current_database() and schema_name in $schemas
            order by schema_name, table_name, column_index
            """,
            {"schemas": list(SCHEMAS)},
        ).fetchall()
    relations: dict[tuple[str, str], dict[str, Any]] = {}
    for schema, table, column, place, kind in columns:
        found = relations.setdefault((schema, table), {})
        found[column] = {"name": column, "index": place, "type": kind, "comment": None}
    catalog: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}}
    for resource in catalog:
        for unique_id, node in manifest.get(resource, {}).items():
            schema, table = node.get("schema"), node.get("alias") or node.get("identifier")
            if (schema, table) not in relations:
                continue
            catalog[resource][unique_id] = {
                "unique_id": unique_id,
                "metadata": {
                    "type": node.get("config", {}).get("materialized", "table"),
                    "schema": schema,
                    "name": table,
                    "database": node.get("database"),
                    "owner": node.get("group"),
                    "comment": None,
                },
                "columns": relations[schema, table],
                "stats": {},
            }
    return {**catalog, "metadata": {}, "errors": None}


def _embedded(contents: dict[str, Any]) -> str:
    """JSON in which nothing can end the element that holds it."""
    return json.dumps(contents, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
