"""Gates: Great Expectations between the stages of a night, on the data where it is.

A suite (expectations/<stage>/*.yml) judges a table or the rows of a query. Every expectation runs
as SQL in the warehouse, opened read-only. What was found goes to `ops.quality_results`. A critical
failure after staging, intermediate or marts stops the night; in raw it holds the batches that
failed, and the night goes on without them. Held batches are judged again each night, so that a
mended file or expectation releases them.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from apportion import alerts, data_docs, logs, suites, warehouse
from apportion.errors import ApportionError, GateFailed
from apportion.night import Night
from apportion.suites import Expectation, Suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.datasource.fluent import SQLDatasource

JUDGED_BATCHES = """
create temp table judged_batches as
select
    batches.batch_id,
    batches.dataset,
    batches.run_id
from raw._batches as batches
where
    batches.run_id = $run_id
    or batches.status = 'held'
    or not exists (
        select quality_results.run_id
        from ops.quality_results
        where
            quality_results.run_id = batches.run_id
            and quality_results.stage = 'raw'
    )
"""

FAILURES_SHOWN = 5


@dataclass(frozen=True)
class Verdict:
    """What became of one expectation.

    Attributes:
        check: name of the expectation.
        severity: as declared; critical where it could not be judged.
        success: whether the data are as expected.
        observed: what was seen: counts and aggregates, never a row of a person.
        reason: the notes of the expectation.
        batch_ids: in stage raw, the batches that failed.
    """

    check: str
    severity: str
    success: bool
    observed: str
    reason: str
    batch_ids: tuple[str, ...] = ()


def gate(night: Night, stage: str) -> str:
    """Judge a stage and write the verdicts to `ops.quality_results`; judging again replaces them.

    Args:
        night: the run.
        stage: raw, staging, intermediate or marts.

    Returns:
        One line: how many checks passed, each warning, what is held. Where a check failed, it is
        sent as an alert too; what is raised is sent by whoever runs the step.

    Raises:
        GateFailed: a critical expectation of staging, intermediate or marts failed, or one could
            not be judged.
    """
    started = time.monotonic()
    stage_suites = suites.load(stage, suites.variables(night.settings))
    with warehouse.connect(night.settings.warehouse, read_only=True) as connection:
        batches = _batches_to_judge(connection, night.run_id) if stage == "raw" else []
        verdicts, pages = judge(connection, stage_suites)
    failed = [verdict for verdict in verdicts if not verdict.success]
    critical = [verdict for verdict in failed if verdict.severity == "critical"]
    held: dict[str, list[str]] = {}
    for verdict in critical:
        for batch_id in verdict.batch_ids:
            held.setdefault(batch_id, []).append(verdict.check)
    with warehouse.connect(night.settings.warehouse) as connection:
        judged = [batch[0] for batch in batches]
        _record(connection, night.run_id, stage, verdicts, pages, judged, held)
    logs.LOGGER.info(
        logs.line(
            stage=stage,
            checks=len(verdicts),
            failed=len(failed),
            critical=len(critical),
            held_batches=len(held),
            seconds=f"{time.monotonic() - started:.3f}",
        )
    )
    if critical and stage != "raw":
        raise GateFailed(_refusal(stage, critical, len(verdicts)), _next_step(night, stage))
    said = _told(stage, verdicts, batches, held)
    if failed and alerts.send(night.run_id, said.replace(". ", ".\n")) is False:
        said += ". The alert could not be sent: see the log"
    return said


def judge(
    connection: duckdb.DuckDBPyConnection, stage_suites: Sequence[Suite]
) -> tuple[list[Verdict], list[data_docs.Page]]:
    """Judge suites on an open warehouse; what cannot be judged fails.

    Returns:
        The verdicts, and the page of each suite that could be judged.
    """
    verdicts, pages = [], []
    with _datasource(connection) as datasource:
        for suite in stage_suites:
            started = time.monotonic()
            try:
                outcome = _outcome(connection, datasource, suite)
                judged = _verdicts(connection, suite, outcome)
                pages.append(data_docs.page(suite, outcome, judged))
                verdicts += judged
            except Exception as error:
                logs.LOGGER.warning(
                    logs.line(stage=suite.stage, suite=suite.name, judged=False), exc_info=True
                )
                verdicts += [
                    _unjudged(connection, suite, expectation, _first_line(error))
                    for expectation in suite.expectations
                ]
            logs.LOGGER.info(
                logs.line(
                    stage=suite.stage,
                    suite=suite.name,
                    seconds=f"{time.monotonic() - started:.3f}",
                )
            )
    return verdicts, pages


@contextmanager
def _datasource(connection: duckdb.DuckDBPyConnection) -> Iterator[SQLDatasource]:
    """Great Expectations on this connection. Imported here: it takes seconds, once per process."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from apportion import gx_dialect

    # What goes wrong is in the verdicts.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    with gx_dialect.serve(connection) as connection_string:
        datasource = context.data_sources.add_sql("warehouse", connection_string=connection_string)
        try:
            yield datasource
        finally:
            datasource.get_execution_engine().close()
            datasource.get_execution_engine().engine.dispose()
            datasource.get_engine().dispose()


def _asset(suite: Suite) -> str:
    """The view or temporary table that a suite judges."""
    return f"suite_{suite.name}"


def _outcome(
    connection: duckdb.DuckDBPyConnection, datasource: SQLDatasource, suite: Suite
) -> ExpectationSuiteValidationResult:
    import great_expectations

    asset_name = _asset(suite)
    rows = _prepare(connection, suite, asset_name)
    result_format: dict[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}
    if suite.key:
        result_format = {
            "result_format": "COMPLETE",
            "unexpected_index_column_names": list(suite.key),
            "return_unexpected_index_query": False,
            "partial_unexpected_count": max(rows, 1),
        }
    batch = (
        datasource.add_table_asset(asset_name, table_name=asset_name)
        .add_batch_definition_whole_table("whole")
        .get_batch()
    )
    return batch.validate(
        great_expectations.ExpectationSuite(
            name=suite.name,
            expectations=[
                {
                    "type": expectation.type,
                    "kwargs": dict(expectation.kwargs),
                    "severity": expectation.severity,
                    "notes": expectation.notes,
                    "meta": {"check": expectation.check},
                }
                for expectation in suite.expectations
            ],
        ),
        result_format=result_format,
    )


def _verdicts(
    connection: duckdb.DuckDBPyConnection,
    suite: Suite,
    outcome: ExpectationSuiteValidationResult,
) -> list[Verdict]:
    results = {result.expectation_config.meta["check"]: result for result in outcome.results}
    return [
        _verdict(connection, suite, _asset(suite), expectation, results.get(expectation.check))
        for expectation in suite.expectations
    ]


def _prepare(connection: duckdb.DuckDBPyConnection, suite: Suite, asset_name: str) -> int:
    """Make what is judged: a view of the table, or the rows of the query, which runs this once.

    Returns:
        The rows of the query; 0 for a table.
    """
    if suite.table:
        schema, table = suite.table.split(".")
        connection.execute(
            f"create or replace temp view {asset_name} as "
            f"select * from {warehouse.identifier(schema)}.{warehouse.identifier(table)}"
        )
        return 0
    connection.execute(f"create or replace temp table {asset_name} as {_query(connection, suite)}")
    rows = connection.execute(f"select count(*) from {asset_name}").fetchone()[0]
    if not suite.key and rows != 1:
        raise ApportionError(f"the query of a suite without key gives one row, not {rows}")
    return rows


def _query(connection: duckdb.DuckDBPyConnection, suite: Suite) -> str:
    if not suite.each_column:
        return suite.query
    columns = connection.execute(
        """
        select table_name, column_name
        from duckdb_columns()
        where database_name = current_database() and schema_name = $schema and data_type in $types
        order by table_name, column_index
        """,
        {"schema": suite.each_column["schema"], "types": suite.each_column["types"]},
    ).fetchall()
    if not columns:
        raise ApportionError(f"schema {suite.each_column['schema']} has no such columns")
    queries = [
        suites.filled(
            suite.each_column["query"],
            {"table": warehouse.identifier(table), "column": warehouse.identifier(column)},
            suite.path,
        )
        for table, column in columns
    ]
    return suites.filled(suite.query, {"each_column": "\nunion all\n".join(queries)}, suite.path)


def _verdict(
    connection: duckdb.DuckDBPyConnection,
    suite: Suite,
    asset_name: str,
    expectation: Expectation,
    result: Any,
) -> Verdict:
    """Read the outcome of Great Expectations; whatever was not judged is a critical failure."""
    if result is None:
        return _unjudged(connection, suite, expectation, "it was not evaluated")
    if error := _exception(result.exception_info):
        return _unjudged(connection, suite, expectation, error)
    success, found, failures = result.success is True, result.result, []
    if suite.table:
        if "unexpected_count" in found:
            observed = f"{found['unexpected_count']} of {found['element_count']} rows unexpected"
        else:
            observed = f"observed value {found.get('observed_value')}"
            success = success and found.get("observed_value") is not None
    else:
        column = warehouse.identifier(expectation.kwargs["column"])
        shown = ", ".join(warehouse.identifier(name) for name in suite.key)
        nulls = connection.execute(
            f"select {shown or '1'} from {asset_name} where {column} is null"
        ).fetchall()
        success = success and not nulls
        if suite.key:
            failures = [
                ([row[name] for name in suite.key], row.get(expectation.kwargs["column"]))
                for row in found.get("unexpected_index_list") or []
            ] + [(list(row), None) for row in nulls]
            observed = _observed_rows(expectation.kwargs["column"], suite.key, failures)
        else:
            value = connection.execute(f"select {column} from {asset_name}").fetchone()[0]
            observed = f"{expectation.kwargs['column']} = {value}"
    return Verdict(
        check=expectation.check,
        severity=expectation.severity,
        success=success,
        observed=observed,
        reason=expectation.notes,
        batch_ids=() if success else _failed_batches(connection, suite, failures),
    )


def _observed_rows(column: str, key: Sequence[str], failures: Sequence[tuple[list, Any]]) -> str:
    if not failures:
        return "no row unexpected"
    shown = "; ".join(
        f"{column} = {value} for {', '.join(str(part) for part in parts)}"
        for parts, value in failures[:FAILURES_SHOWN]
    )
    more = len(failures) - FAILURES_SHOWN
    return shown + (f"; and {more} more" if more > 0 else "")


def _failed_batches(
    connection: duckdb.DuckDBPyConnection, suite: Suite, failures: Sequence[tuple[list, Any]]
) -> tuple[str, ...]:
    """The batches of stage raw that a failure concerns: of its rows, else all of the dataset."""
    if suite.stage != "raw":
        return ()
    if "batch_id" in suite.key and failures:
        return tuple(parts[suite.key.index("batch_id")] for parts, _ in failures)
    return tuple(
        batch_id
        for batch_id, dataset in connection.execute(
            "select batch_id, dataset from judged_batches order by batch_id"
        ).fetchall()
        if suite.dataset in (None, dataset)
    )


def _unjudged(
    connection: duckdb.DuckDBPyConnection, suite: Suite, expectation: Expectation, error: str
) -> Verdict:
    return Verdict(
        check=expectation.check,
        severity="critical",
        success=False,
        observed=f"could not be judged: {error}",
        reason=expectation.notes,
        batch_ids=_failed_batches(connection, suite, []),
    )


def _exception(exception_info: dict[str, Any]) -> str | None:
    """The message of what an expectation raised: one record, or one per metric."""
    records = [exception_info] if "raised_exception" in exception_info else exception_info.values()
    for record in records:
        if record.get("raised_exception"):
            return _first_line(record.get("exception_message"))
    return None


def _first_line(error: object) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _batches_to_judge(
    connection: duckdb.DuckDBPyConnection, run_id: str
) -> list[tuple[str, str, str]]:
    """Batches of this run, held ones, and those of a run that was killed before its gate."""
    connection.execute(JUDGED_BATCHES, {"run_id": run_id})
    return connection.execute(
        "select batch_id, dataset, run_id from judged_batches order by batch_id"
    ).fetchall()


def _record(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    stage: str,
    verdicts: Sequence[Verdict],
    pages: Sequence[data_docs.Page],
    judged: Sequence[str],
    held: Mapping[str, Sequence[str]],
) -> None:
    """Write verdicts, pages and the status of the judged batches, together or not at all."""
    at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    connection.begin()
    connection.execute(
        "delete from ops.quality_results where run_id = ? and stage = ?", [run_id, stage]
    )
    connection.executemany(
        'insert into ops.quality_results (run_id, stage, "check", severity, success, observed, '
        'reason, "at") values (?, ?, ?, ?, ?, ?, ?, ?)',
        [
            (
                run_id,
                stage,
                verdict.check,
                verdict.severity,
                verdict.success,
                verdict.observed,
                verdict.reason,
                at,
            )
            for verdict in verdicts
        ],
    )
    # Pages are of the last run only.
    connection.execute("delete from ops.data_docs where run_id <> ? or stage = ?", [run_id, stage])
    for page in pages:
        connection.execute(
            "insert into ops.data_docs values (?, ?, ?, ?, ?, ?, ?)",
            [run_id, stage, *astuple(page)],
        )
    for batch_id in judged:
        checks = held.get(batch_id)
        connection.execute(
            "update raw._batches set status = ?, reason = ?, decided_at = ? where batch_id = ?",
            ["held" if checks else "released", ", ".join(checks) if checks else None, at, batch_id],
        )
    connection.commit()


def _refusal(stage: str, critical: Sequence[Verdict], checks: int) -> str:
    lines = [f"gate {stage}: {len(critical)} of {checks} checks failed; nothing was published"]
    for verdict in critical:
        lines += [
            f"- {verdict.check}",
            f"    seen: {verdict.observed}",
            f"    why it matters: {verdict.reason}",
        ]
    return "\n".join(lines)


def _next_step(night: Night, stage: str) -> str:
    return (
        f"mend the cause (what is expected is in {suites.EXPECTATIONS / stage}), then: "
        f"apportion run --landing {night.settings.landing} --data {night.settings.data}"
    )


def _told(
    stage: str,
    verdicts: Sequence[Verdict],
    batches: Sequence[tuple[str, str, str]],
    held: Mapping[str, Sequence[str]],
) -> str:
    failed = [verdict for verdict in verdicts if not verdict.success]
    parts = [f"{len(verdicts) - len(failed)} of {len(verdicts)} checks passed"]
    parts += [
        f"{verdict.severity}: {verdict.check} ({verdict.observed}; {verdict.reason})"
        for verdict in failed
    ]
    if held:
        datasets = sorted({dataset for batch_id, dataset, _ in batches if batch_id in held})
        parts.append(
            f"HELD: {len(held)} of {len(batches)} judged batches, of {', '.join(datasets)}; "
            "the night goes on without them. Land a mended file at the same path, or mend "
            f"{suites.EXPECTATIONS / stage}, then: apportion run"
        )
    return f"gate {stage}: " + ". ".join(parts)
