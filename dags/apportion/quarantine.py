"""The rows that could not be loaded, for people: which files, which lines, why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from rich.markup import escape
from rich.table import Table

from apportion import warehouse
from apportion.errors import UsageError
from apportion.progress import output
from apportion.settings import Settings


def show_files(settings: Settings) -> None:
    """Print each file with rows in the quarantine, with its reasons and how many rows each has.

    The reasons are without the values that they quote.
    """
    with _record(settings) as connection:
        found = connection.execute(
            "select dataset, path, regexp_replace(reason, $quoted, '... is not ', 'g')"
            " as reason, count(*), min(line) from raw._quarantine group by all"
            " order by path, count(*) desc, reason",
            {"quoted": "'.*?' is not "},
        ).fetchall()
    if not found:
        output().print("the quarantine is empty")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("rows", justify="right")
    table.add_column("first line", justify="right")
    table.add_column("reason")
    path_before = None
    for dataset, path, reason, rows, line in found:
        if path != path_before:
            table.add_row("", "", f"[bold]{escape(f'{dataset}: {path}')}[/]")
            path_before = path
        table.add_row(f"{rows:,}", "" if line is None else f"{line:,}", escape(reason))
    output().print(table, soft_wrap=True)
    output().print(
        "apportion quarantine show FILE has the lines; apportion quarantine retry reads again"
    )


def show_lines(settings: Settings, path: Path, limit: int) -> None:
    """Print the quarantined lines of a file as they were landed, each with its reason.

    Raises:
        UsageError: it has none.
    """
    with _record(settings) as connection:
        found = connection.execute(
            "select line, reason, raw_text, count(*) over () from raw._quarantine where path = ?"
            " order by line limit ?",
            [str(path), limit],
        ).fetchall()
    if not found:
        raise UsageError(f"no row of {path} is in the quarantine", "apportion quarantine list")
    for line, reason, text, _ in found:
        where = "the whole file" if line is None else f"line {line:,}"
        output().print(f"[bold]{where}[/]: {escape(reason)}", soft_wrap=True)
        if text:
            output().print(escape(text), soft_wrap=True)
    if (rows := found[0][3]) > len(found):
        output().print(f"and {rows - len(found):,} more: --limit {rows}")


@contextmanager
def _record(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    if not settings.warehouse.exists():
        raise UsageError(f"{settings.warehouse} is not there: nothing was loaded", "apportion run")
    with warehouse.connect(settings.warehouse, read_only=True, sealed=True) as connection:
        yield connection
