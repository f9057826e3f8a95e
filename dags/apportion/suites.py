"""Suites of expectations: read from YAML, checked, and made ready to be judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from apportion.errors import ApportionError
from apportion.settings import PROJECT, Settings

EXPECTATIONS = PROJECT / "expectations"
STAGES = ("raw", "staging", "intermediate", "marts")
SEVERITIES = ("critical", "warning")
SUITE_KEYS = {"table", "query", "each_column", "key", "dataset", "expectations"}
EXPECTATION_KEYS = {"type", "kwargs", "severity", "notes"}
LIMITS = ("min_value", "max_value", "mostly", "value")

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Expectation:
    """One expectation, in the keys of Great Expectations.

    Attributes:
        check: its name, unique within the stage: suite, column, type.
        type: name of the expectation class in snake case.
        kwargs: its arguments; `column` names what is judged.
        severity: critical or warning.
        notes: why the expectation exists and what a failure means.
    """

    check: str
    type: str
    kwargs: Mapping[str, Any]
    severity: str
    notes: str


@dataclass(frozen=True)
class Suite:
    """The expectations on one table or on the rows of one query.

    Attributes:
        stage: raw, staging, intermediate or marts.
        name: file name without its ending.
        path: the YAML file.
        table: `schema.table`, judged where it is; or
        query: a select of aggregates, run once, whose rows are judged. A null in a judged column
            fails.
        key: columns that name a row of the query; empty: the query gives exactly one row.
        dataset: in stage raw, the dataset whose batches are held where `key` has no batch_id.
        each_column: `schema`, `types` and a `query` made for each such column of the warehouse,
            joined by union all and put in place of `${each_column}` in `query`.
        expectations: what is expected.
    """

    stage: str
    name: str
    path: Path
    table: str | None
    query: str | None
    key: tuple[str, ...] = ()
    dataset: str | None = None
    each_column: Mapping[str, Any] | None = None
    expectations: tuple[Expectation, ...] = field(default_factory=tuple)


def variables(settings: Settings) -> dict[str, Any]:
    """What `${name}` in a suite stands for: the dbt vars of the project, or of the input."""
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    return {**project["vars"], **settings.input_vars()}


def filled(text: str, values: Mapping[str, Any], path: Path) -> str:
    """Put values in place of `${name}`.

    Raises:
        ApportionError: there is no such name.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ApportionError(
                f"{path}: ${{{match[1]}}} is no var of dbt_project.yml", f"mend {path}"
            )
        return str(values[match[1]])

    return PLACEHOLDER.sub(value, text)


def load(stage: str, values: Mapping[str, Any], folder: Path = EXPECTATIONS) -> list[Suite]:
    """Read the suites of a stage, in order of name.

    Args:
        stage: raw, staging, intermediate or marts.
        values: what `${name}` stands for.
        folder: the folder that holds one folder per stage.

    Raises:
        ApportionError: a file is not a suite; or there is none, and the stage would go unjudged.
    """
    paths = sorted((folder / stage).glob("*.yml"))
    if not paths:
        raise ApportionError(
            f"{folder / stage} holds no suite: nothing would judge the stage {stage}",
            f"git status {folder / stage}",
        )
    return [_suite(stage, path, values) for path in paths]


def _suite(stage: str, path: Path, values: Mapping[str, Any]) -> Suite:
    def wrong(what: str) -> ApportionError:
        return ApportionError(f"{path}: {what}", f"mend {path}")

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise wrong(f"is not YAML: {error}") from error
    if not isinstance(content, dict) or set(content) - SUITE_KEYS:
        raise wrong(f"a suite is a mapping with the keys {', '.join(sorted(SUITE_KEYS))}")
    table, query, key = content.get("table"), content.get("query"), content.get("key", [])
    if (table is None) == (query is None):
        raise wrong("give either table or query")
    if table is not None and not re.fullmatch(r"\w+\.\w+", table):
        raise wrong(f"table is schema.table, not {table!r}")
    if not content.get("expectations"):
        raise wrong("no expectations")
    if not isinstance(key, list) or (key and query is None):
        raise wrong("key is a list of columns of the query")
    expectations = []
    for number, given in enumerate(content["expectations"], 1):
        if not isinstance(given, dict) or set(given) != EXPECTATION_KEYS:
            raise wrong(f"expectation {number} has the keys {', '.join(sorted(EXPECTATION_KEYS))}")
        if given["severity"] not in SEVERITIES:
            raise wrong(f"expectation {number}: severity is critical or warning")
        if not isinstance(given["notes"], str) or not given["notes"].strip():
            raise wrong(f"expectation {number}: notes say why it exists")
        kwargs = {}
        for name, value in (given["kwargs"] or {}).items():
            if isinstance(value, str) and (match := PLACEHOLDER.fullmatch(value)):
                filled(value, values, path)
                value = values[match[1]]
            if name in LIMITS and not isinstance(value, int | float):
                raise wrong(f"expectation {number}: {name} is a number, not {value!r}")
            kwargs[name] = value
        if query is not None and "column" not in kwargs:
            raise wrong(f"expectation {number}: an expectation on a query names a column")
        parts = [path.stem, kwargs.get("column"), given["type"]]
        expectations.append(
            Expectation(
                check=".".join(part for part in parts if part),
                type=given["type"],
                kwargs=kwargs,
                severity=given["severity"],
                notes=" ".join(given["notes"].split()),
            )
        )
    is_critical = any(expectation.severity == "critical" for expectation in expectations)
    if stage == "raw" and is_critical and "batch_id" not in key and not content.get("dataset"):
        raise wrong("say what a critical failure holds: batch_id in key, or dataset")
    checks = [expectation.check for expectation in expectations]
    if len(set(checks)) < len(checks):
        raise wrong("two expectations have the same column and type")
    each_column = content.get("each_column")
    return Suite(
        stage=stage,
        name=path.stem,
        path=path,
        table=table,
        query=filled(query, {**values, "each_column": "${each_column}"}, path) if query else None,
        key=tuple(key),
        dataset=content.get("dataset"),
        each_column=each_column,
        expectations=tuple(expectations),
    )
