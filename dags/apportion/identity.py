"""Who is who, for people: why two identifiers are one person's, and how to part them for good."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import deque
from dataclasses import dataclass

import duckdb
from rich.markup import escape
from rich.table import Table

from apportion import warehouse
from apportion.errors import ApportionError, UsageError
from apportion.progress import output
from apportion.settings import Settings

TYPES = ("user_id", "email", "phone", "contact_id", "anonymous_id", "device_id", "click_id")
VETOES = "identity_vetoes"


@dataclass(frozen=True)
class Identifier:
    """An identifier as the warehouse knows it; unlinked_reason: why it connects nobody."""

    node: int
    kind: str
    value: str
    hash: str
    user_key: str
    unlinked_reason: str | None

    @property
    def name(self) -> str:
        """How it is shown: kind and the beginning of its hash, never its clear text."""
        return f"{self.kind} {self.hash[:12]}"


@dataclass(frozen=True)
class Step:
    """Two identifiers that stand together in rows."""

    source: Identifier
    target: Identifier
    evidence_count: int
    first_seen_at: dt.datetime | None
    last_seen_at: dt.datetime | None


def explain(settings: Settings, first: str, second: str) -> None:
    """Print the path of evidence between two identifiers, or what keeps them apart.

    Raises:
        UsageError: one of them is not known, or is known as several kinds.
        WarehouseBusy: a night is running.
        ApportionError: there is no warehouse yet.
    """
    with _opened(settings) as connection:
        one, other = find(connection, first), find(connection, second)
        steps = path(connection, one, other)
        apart = [] if steps else reasons(connection, one, other)
    console = output()
    console.print(f"{escape(first)} is {one.name}, of person {one.user_key}", soft_wrap=True)
    console.print(f"{escape(second)} is {other.name}, of person {other.user_key}", soft_wrap=True)
    console.print()
    if not steps and one.user_key == other.user_key:
        console.print("one identifier" if one == other else "one person")
        return
    if not steps:
        console.print("[bold]two people[/]")
        for reason in apart:
            console.print(f"  {reason}", soft_wrap=True)
        return
    console.print("[bold]one person[/], because these were seen together:")
    table = Table(box=None, pad_edge=False)
    for name in ("", "identifier", "and", "rows", "first (UTC)", "last (UTC)"):
        table.add_column(name, justify="right" if name in ("", "rows") else "left")
    for number, step in enumerate(steps, 1):
        times = [
            f"{moment:%Y-%m-%d %H:%M}" if moment else "not said"
            for moment in (step.first_seen_at, step.last_seen_at)
        ]
        table.add_row(
            str(number), step.source.name, step.target.name, f"{step.evidence_count:,}", *times
        )
    console.print(table)


def split(settings: Settings, first: str, second: str, comment: str = "") -> str:
    """Write a veto into the landing folder: the two are never one person's again.

    Returns:
        One line of what was done.

    Raises:
        UsageError: one of them is not known, or both are the same.
        WarehouseBusy: a night is running.
        ApportionError: there is no warehouse yet.
    """
    with _opened(settings) as connection:
        one, other = find(connection, first), find(connection, second)
    if one == other:
        raise UsageError("an identifier cannot be parted from itself", "name two identifiers")
    now = dt.datetime.now(dt.UTC)
    row = {
        "first_type": one.kind,
        "first_value": one.value,
        "second_type": other.kind,
        "second_value": other.value,
        "vetoed_at": now.isoformat(timespec="seconds"),
        "comment": comment or None,
    }
    folder = settings.landing / VETOES
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{now:%Y%m%dT%H%M%S%f}.jsonl"
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(row) + "\n", encoding="utf-8")
    partial.replace(file)
    were = "are one person until then" if one.user_key == other.user_key else "already are two"
    return f"{one.name} and {other.name} are two people from the next night on ({were}): {file}"


def find(connection: duckdb.DuckDBPyConnection, text: str) -> Identifier:
    """The identifier of a text: its value as somebody would write it, or kind:value."""
    kind, _, value = text.partition(":")
    kinds = (kind,) if kind in TYPES else TYPES
    value = value if kind in TYPES else text
    address = re.sub(r"\s", "", value).lower()
    forms = [(name, value.strip()) for name in kinds if name not in ("email", "phone")]
    forms += [("phone", re.sub(r"[^0-9]", "", value))] if "phone" in kinds else []
    if "email" in kinds:
        forms += [("email", address), ("email", re.sub(r"^([^+@]+)\+[^@]*@", r"\1@", address))]
    found = connection.execute(
        f"{_IDENTIFIERS} where (identifiers.identifier_type, identifiers.identifier_value) in"
        " (select (unnest($kinds), unnest($values)))",
        {"kinds": [form[0] for form in forms], "values": [form[1] for form in forms]},
    ).fetchall()
    if not found:
        raise UsageError(f"no identifier {text} is known", "write it as kind:value, or run a night")
    if len(found) > 1:
        names = ", ".join(sorted(f"{row[1]}:{row[2]}" for row in found))
        raise UsageError(f"{text} is several identifiers", f"name one of them: {names}")
    return Identifier(*found[0])


def path(connection: duckdb.DuckDBPyConnection, one: Identifier, other: Identifier) -> list[Step]:
    """The fewest steps of evidence from one to another of a person, then those seen most often."""
    if one.user_key != other.user_key or one == other:
        return []
    identifiers = {
        row[0]: Identifier(*row)
        for row in connection.execute(
            f"{_IDENTIFIERS} where identifiers.user_key = ?", [one.user_key]
        ).fetchall()
    }
    rows = connection.execute(
        """
        select source_node, target_node, evidence_count, first_seen_at, last_seen_at
        from intermediate.int_identity__edges
        where
            source_node in (select unnest($nodes))
            and target_node in (select unnest($nodes))
        order by evidence_count desc, source_node, target_node
        """,
        {"nodes": list(identifiers)},
    ).fetchall()
    steps: dict[int, list[Step]] = {}
    for source, target, *evidence in rows:
        ends = identifiers[source], identifiers[target]
        if all(end.unlinked_reason for end in ends):
            continue
        steps.setdefault(source, []).append(Step(*ends, *evidence))
        steps.setdefault(target, []).append(Step(*ends[::-1], *evidence))
    came_by: dict[int, Step | None] = {one.node: None}
    waiting = deque([one.node])
    while waiting and other.node not in came_by:
        for step in steps.get(waiting.popleft(), ()):
            if step.target.node not in came_by:
                came_by[step.target.node] = step
                # A device that several people used is where a path may end, not pass through.
                if not step.target.unlinked_reason:
                    waiting.append(step.target.node)
    found: list[Step] = []
    node = other.node
    while step := came_by.get(node):
        found.insert(0, step)
        node = step.source.node
    return found


def reasons(connection: duckdb.DuckDBPyConnection, one: Identifier, other: Identifier) -> list[str]:
    """What keeps two people's identifiers apart, in words."""
    said = [
        f"{end.name} connects nobody: {end.unlinked_reason}"
        for end in (one, other)
        if end.unlinked_reason
    ]
    (vetoed,) = connection.execute(
        "select count(*) from intermediate.int_identity__vetoes"
        " where first_node = least($1, $2) and second_node = greatest($1, $2)",
        [one.node, other.node],
    ).fetchone()
    if vetoed:
        said.append("a veto says that they are not one person's (apportion identity split)")
    parted = connection.execute(
        """
        select distinct firsts.reason
        from intermediate.int_identity__cut as firsts
        inner join intermediate.int_identity__cut as seconds
            on firsts.whole_node = seconds.whole_node
        where firsts.node = ? and seconds.node = ?
        """,
        [one.node, other.node],
    ).fetchall()
    said += [f"evidence connects them, but was cut: {reason}" for (reason,) in parted]
    return said or ["no evidence connects them"]


_IDENTIFIERS = """
select
    nodes.node,
    identifiers.identifier_type,
    identifiers.identifier_value,
    identifiers.identifier_hash,
    identifiers.user_key,
    identifiers.unlinked_reason
from intermediate.int_identity__identifiers as identifiers
inner join intermediate.int_identity__nodes as nodes
    using (identifier_type, identifier_value)
"""


def _opened(settings: Settings):
    if not settings.warehouse.exists():
        raise ApportionError(f"there is no warehouse at {settings.warehouse}", "apportion run")
    return warehouse.connect(settings.warehouse, read_only=True, sealed=True)
