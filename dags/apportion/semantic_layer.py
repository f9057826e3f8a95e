"""The metrics of the project, in each version: MetricFlow can be asked there at any time.

`<version>/semantic/` is a dbt project of three files: what dbt parsed of the semantic models and
metrics, and a profile that opens the version's DuckDB file read-only. A question then never meets a
night, and gets the definitions that the version was published with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apportion import logs
from apportion.settings import Settings

FOLDER = "semantic"
MANIFEST = "semantic_manifest.json"
# The name by which a client knows the published file.
CATALOG = "apportion"
PROJECT_FILE = """\
name: apportion
config-version: 2
profile: apportion
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = """\
apportion:
  target: published
  outputs:
    published:
      type: duckdb
      path: ../apportion.duckdb
      schema: main
      config_options: {access_mode: READ_ONLY}
"""


def build(settings: Settings, version: Path) -> Path | None:
    """Write `<version>/semantic/`.

    Args:
        settings: where dbt left what it parsed.
        version: folder of a version that is being written.

    Returns:
        The folder; None where dbt left nothing, which the log then says.
    """
    parsed = settings.target / MANIFEST
    if not parsed.is_file():
        logs.LOGGER.warning(logs.line(metrics_without=parsed, reason="dbt has built nothing here"))
        return None
    manifest = json.loads(parsed.read_text(encoding="utf-8"))
    for model in manifest["semantic_models"]:
        _point(model["node_relation"])
    for spine in manifest["project_configuration"]["time_spines"]:
        _point(spine["node_relation"])
    folder = version / FOLDER
    (folder / "target").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT_FILE, encoding="utf-8")
    (folder / "profiles.yml").write_text(PROFILE, encoding="utf-8")
    # MetricFlow looks for it here and nowhere else.
    (folder / "target" / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _point(relation: dict[str, Any]) -> None:
    """Make a relation of the warehouse one of the published file."""
    relation["database"] = CATALOG
    parts = (CATALOG, relation["schema_name"], relation["alias"])
    relation["relation_name"] = ".".join(f'"{part}"' for part in parts)
