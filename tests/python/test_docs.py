"""The guides: nothing that the project has is missing from them, and nothing else is in them."""

from __future__ import annotations

import csv
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
import yaml

from apportion.report.contents import CARDS
from apportion.settings import PROJECT, Settings

DOCS = PROJECT / "docs"
MODELS = PROJECT / "macros" / "attribution" / "models"
FAMILIES = PROJECT / "macros" / "segments" / "families"
SETTING = re.compile(r"(?:var|attribution_setting)\('(\w+)'")
RELATION = re.compile(r'^    (\w+) (\S{2})--(\S{2}) (\w+) : "(\w+)(?: = (\w+))?"$', re.MULTILINE)
ENTITY = re.compile(r"^    (\w+) \{\n(.*?)^    \}", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def names_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.sql")}


def sections(text: str, level: str) -> dict[str, str]:
    """The text under each heading of a level, by each of the names that the heading lists."""
    found = {}
    for part in re.split(rf"^{level} ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        body = re.split(r"^#+ ", body, flags=re.MULTILINE)[0]
        found.update(dict.fromkeys(re.split(r", | and ", heading), body))
    return found


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of all Markdown tables."""
    return [
        [cell.strip() for cell in line[1:-1].split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def settings_of(path: Path) -> set[str]:
    return set(SETTING.findall(path.read_text(encoding="utf-8")))


def test_each_model_has_a_formula_its_parameters_and_a_worked_number() -> None:
    text = read("attribution-models.md")
    models = names_in(MODELS)
    told = sections(text, "###")
    assert set(told) == models
    formulas = {
        name: row for row in rows(text) if len(row) == 4 for name in re.findall(r"`(\w+)`", row[0])
    }
    assert set(formulas) & models == models
    for name in models:
        assert formulas[name][1], name
        assert re.search(r"\d", told[name]), name
        missing = {
            setting
            for setting in settings_of(MODELS / f"{name}.sql")
            if f"`{setting}`" not in formulas[name][3]
        }
        assert not missing, name


def test_each_family_has_a_rule_its_parameters_and_an_example() -> None:
    text = read("segment-families.md")
    told = sections(text, "##")
    families = names_in(FAMILIES)
    assert families <= set(told), families - set(told)
    for name in families:
        assert "**Example.**" in told[name], name
        missing = {
            setting
            for setting in settings_of(FAMILIES / f"{name}.sql")
            if f"`{setting}`" not in text
        }
        assert not missing, name


def test_the_guide_has_a_question_for_each_model() -> None:
    answered = {
        name
        for row in rows(read("which-model.md"))
        if len(row) == 4
        for name in re.findall(r"`(\w+)`", row[1])
    }
    assert answered & names_in(MODELS) == names_in(MODELS)


def test_the_glossary_has_every_figure_of_the_report_and_every_tactic() -> None:
    text = read("glossary.md")
    _, things, figures = text.split("\n## ")
    told = {name for row in rows(figures) for name in re.findall(r"`(\w+)`", row[0])}
    shown = {name for card in CARDS for name in (*card.values, *card.shown, *card.ratios)}
    assert not shown - told
    with (PROJECT / "seeds" / "tactics.csv").open(encoding="utf-8") as file:
        tactics = {row["tactic"] for row in csv.DictReader(file)}
    assert not {tactic for tactic in tactics if f"`{tactic}`" not in things}
    words = [row[0] for row in rows(things)][1:]
    assert all(first < second for first, second in pairwise(words))


@cache
def columns_of_marts() -> dict[str, set[str]]:
    """Columns by mart, as its yml says."""
    return {
        model["name"]: {column["name"] for column in model.get("columns", ())}
        for path in (PROJECT / "models" / "marts").rglob("_*__models.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    }


def entities() -> dict[str, str]:
    return dict(ENTITY.findall(read("marts.md")))


def test_the_diagram_has_every_mart_and_only_columns_that_exist() -> None:
    assert set(entities()) == set(columns_of_marts())
    for name, body in entities().items():
        drawn = {line.split()[1] for line in body.splitlines()}
        assert drawn <= columns_of_marts()[name], name
        assert " PK" in body, name


def test_each_relation_joins_columns_that_exist() -> None:
    relations = RELATION.findall(read("marts.md"))
    assert len(relations) == read("marts.md").count(' : "')
    for left, _, _, right, column, other in relations:
        assert column in columns_of_marts()[left], (left, column)
        assert (other or column) in columns_of_marts()[right], (right, other or column)


def test_the_rows_are_as_the_diagram_says(small_night: Settings) -> None:
    """Who must have a partner has one; a key is one."""
    with duckdb.connect(
        str(small_night.published / "apportion.duckdb"), read_only=True
    ) as connection:
        connection.execute("use marts")
        for left, many, _, right, column, other in RELATION.findall(read("marts.md")):
            if many == "||":
                orphans = connection.execute(
                    f"select count(*) from {right} where {other or column} is not null and "
                    f"{other or column} not in (select {column} from {left})"
                ).fetchone()
                assert orphans == (0,), (left, right)
        for name, body in entities().items():
            key = [line.split()[1] for line in body.splitlines() if line.endswith(" PK")]
            quoted = ", ".join(f'"{column}"' for column in key)
            twice = f"select 1 from {name} group by {quoted} having count(*) > 1"
            assert connection.execute(twice).fetchone() is None, name


@pytest.mark.parametrize(
    "page", sorted([*PROJECT.glob("*.md"), *DOCS.glob("*.md"), PROJECT / "dags" / "README.md"])
)
def test_each_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert not [link for link in inside if not (page.parent / link).exists()]


def test_the_readme_links_each_guide() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    unlinked = [path.name for path in DOCS.glob("*.md") if f"docs/{path.name}" not in readme]
    assert not unlinked
