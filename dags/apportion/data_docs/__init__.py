"""Great Expectations' Data Docs of a night: every suite with what was expected and observed.

A gate renders each suite that it judged, because Great Expectations is at hand there, and keeps it
in `ops.data_docs`; `publish` puts those of its run into one page beside the data. The words and
the marks are Great Expectations' own; its pages are not taken, because they load styles, fonts and
code from a dozen hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from apportion import warehouse
from apportion.settings import PROJECT, Settings
from apportion.suites import STAGES, Suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

    from apportion.gates import Verdict

FOLDER = "data_docs"
INDEX = "index.html"


@dataclass(frozen=True)
class Page:
    """One suite as it looks: a row of `ops.data_docs`, but for run and stage.

    Attributes:
        suite: its name.
        judged: its table, or the file with its query.
        checks: how many expectations it has.
        failed: how many were not met.
        html: per column what was expected, what was observed, and why.
    """

    suite: str
    judged: str
    checks: int
    failed: int
    html: str


def page(
    suite: Suite, outcome: ExpectationSuiteValidationResult, verdicts: Sequence[Verdict]
) -> Page:
    """Render what Great Expectations found of a suite, and what the gate made of each expectation.

    A gate is stricter: a null in what a query gives fails too.
    """
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    view = DefaultJinjaPageView(custom_views_directory=str(Path(__file__).parent))
    return Page(
        suite=suite.name,
        judged=_judged(suite),
        checks=len(verdicts),
        failed=sum(not verdict.success for verdict in verdicts),
        html=view.render(
            ValidationResultsPageRenderer().render(outcome),
            template="suite.j2",
            judged=list(zip(suite.expectations, verdicts, strict=True)),
        ),
    )


def build(settings: Settings, run_id: str, version: Path) -> Path:
    """Write `<version>/data_docs/index.html`.

    Args:
        settings: where the warehouse is.
        run_id: the run whose gates are told of.
        version: folder of a version that is being written.
    """
    import jinja2

    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        cursor = connection.execute(
            """
            select stage, suite, judged, checks, failed, page
            from ops.data_docs
            where run_id = ?
            order by list_position(?, stage), suite
            """,
            [run_id, list(STAGES)],
        )
        names = [column[0] for column in cursor.description]
        suites = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__, ""), autoescape=True, trim_blocks=True
    )
    folder = version / FOLDER
    folder.mkdir()
    contents = environment.get_template("page.html").render(
        run_id=run_id,
        suites=suites,
        style=resources.files("apportion.report").joinpath("page.css").read_text(encoding="utf-8"),
    )
    (folder / INDEX).write_text(contents, encoding="utf-8")
    return folder / INDEX


def _judged(suite: Suite) -> str:
    """What a suite judges, in words: its table, or the file with its query."""
    if suite.table:
        return suite.table
    path = suite.path
    return f"query of {path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path.name}"
