"""What it costs to find people: all at once, and after one more percent of evidence, in CPU time.

Identifiers and the edges between them are made up: people with an account, an address and three
devices, of which some are used by two. Nothing is loaded; the models that find people are built on
these tables, first as a full refresh, then as a night, and what the night leaves is compared with a
full refresh. The yardstick is one `group by` over the edges.

    python tests/bench/identity.py --identifiers 2000000
    python tests/bench/identity.py --chain 1000000
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

from apportion import built, ledger, transform
from apportion.settings import Settings
from apportion.warehouse import connect

SOLVED = (
    "int_identity__guarded",
    "int_identity__known_components",
    "int_identity__shared_devices",
    "int_identity__unlinked",
    "int_identity__links",
    "int_identity__components",
)
CLOCK, NIGHT = "timestamp '2026-01-02'", "timestamp '2026-01-03'"

# Five identifiers make a person; two edges per identifier; one in forty people has used somebody
# else's device. A night brings new edges of every hundredth person.
PEOPLE = """
create table intermediate.int_identity__nodes as
select
    i + 1 as node,
    ['user_id', 'email', 'anonymous_id', 'anonymous_id', 'anonymous_id'][i % 5 + 1]
        as identifier_type,
    [1, 2, 5, 5, 5][i % 5 + 1]::integer as type_rank,
    i::varchar as identifier_value,
    i::varchar as identifier_hash,
    (i + 1) * 16 as load_order,
    null::timestamp as first_seen_at,
    null::timestamp as last_seen_at,
    null::timestamp as changed_at
from range({identifiers}) as numbers (i);
create table all_edges as
select
    person * 5 + 1 + source as source_node,
    person * 5 + 1 + target as target_node,
    [1, 2, 5, 5][source + 1]::integer as source_rank,
    [1, 2, 5, 5, 5][target + 1]::integer as target_rank,
    1::bigint as evidence_count,
    null::timestamp as first_seen_at,
    null::timestamp as last_seen_at,
    null::timestamp as changed_at,
    person % 50 = 0 and source > 0 as is_late
from range({identifiers} // 5) as people (person)
cross join (
    values (0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)
) as pairs (source, target);
insert into all_edges
select
    person * 5 + 1, hash(person) % ({identifiers} // 5) * 5 + 3, 1, 5, 1, null, null, null,
    person % 2000 = 0
from range(0, {identifiers} // 5, 40) as people (person);
"""

CHAIN = """
create table intermediate.int_identity__nodes as
select
    i + 1 as node, 'anonymous_id' as identifier_type, 5 as type_rank,
    i::varchar as identifier_value, i::varchar as identifier_hash,
    (i * 7919 + 1) % 2147483647 as load_order,
    null::timestamp as first_seen_at, null::timestamp as last_seen_at,
    null::timestamp as changed_at
from range({identifiers}) as numbers (i);
create table all_edges as
select
    i as source_node, i + 1 as target_node, 5 as source_rank, 5 as target_rank,
    1::bigint as evidence_count, null::timestamp as first_seen_at,
    null::timestamp as last_seen_at, null::timestamp as changed_at, i % 100 = 0 as is_late
from range(1, {identifiers}) as numbers (i);
"""


def cpu_seconds() -> float:
    """CPU time of this process and its threads so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def spent(step: Callable[[], object]) -> float:
    """CPU time of a step, in seconds."""
    before = cpu_seconds()
    step()
    return cpu_seconds() - before


def prepare(settings: Settings, graph: str, identifiers: int) -> None:
    """Make the tables that the models read, without the evidence of the night."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with connect(settings.warehouse) as connection:
        ledger.prepare(connection, settings)
        built.prepare(connection)
        connection.execute(
            f"delete from ops.clock; insert into ops.clock values ({CLOCK});"
            "create schema intermediate; create schema seeds;"
            + graph.format(identifiers=identifiers)
            + "create table seeds.identity_placeholders as"
            " select '' as identifier_value, 'unlinked' as effect where false;"
            "create table intermediate.int_identity__edges as"
            " select * exclude (is_late) from all_edges where not is_late"
        )


def bring_night(settings: Settings) -> None:
    """Add the evidence of the night."""
    with connect(settings.warehouse) as connection:
        connection.execute(
            f"update ops.clock set as_of = {NIGHT};"
            "insert into intermediate.int_identity__edges"
            f" select * exclude (is_late) replace ({NIGHT} as changed_at) from all_edges"
            " where is_late"
        )


def solve(settings: Settings, *, full_refresh: bool, models: tuple[str, ...] = SOLVED) -> None:
    """Build the models that find people."""
    arguments = ["run", "--select", *models, *["--full-refresh"] * full_refresh]
    result = transform.invoke(settings, arguments, quiet=True)
    if not result.success:
        raise SystemExit(str(result.exception or [node.message for node in result.result.results]))


def group_by(settings: Settings) -> float:
    """CPU time of one group by over the edges, in seconds."""
    query = (
        "create temp table grouped as select source_node, target_node, count(*) as found"
        " from intermediate.int_identity__edges group by all"
    )
    with connect(settings.warehouse) as connection:
        return spent(lambda: connection.execute(query))


def people(settings: Settings) -> tuple[int, int, str]:
    """How many identifiers and people there are, and a digest of who is who."""
    with connect(settings.warehouse, read_only=True) as connection:
        return connection.execute(
            "select count(*), count(distinct component_order),"
            " bit_xor(hash(node, component_node, component_order, is_linked))::varchar"
            " from intermediate.int_identity__components"
        ).fetchone()


def main() -> None:
    """Print the costs and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identifiers", type=int, default=2_000_000)
    parser.add_argument("--chain", type=int, help="a chain of so many identifiers instead")
    chosen = parser.parse_args()
    graph, count = (CHAIN, chosen.chain) if chosen.chain else (PEOPLE, chosen.identifiers)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.resolve(Path(folder) / "data", Path(folder) / "landing")
        prepare(settings, graph, count)
        # The first call of dbt reads the project; a view costs what any call costs.
        solve(settings, full_refresh=True)
        call = spent(lambda: solve(settings, full_refresh=True, models=("int_identity__links",)))
        yardstick = group_by(settings)
        full = spent(lambda: solve(settings, full_refresh=True)) - call
        bring_night(settings)
        night = spent(lambda: solve(settings, full_refresh=False)) - call
        after_night = people(settings)
        again = spent(lambda: solve(settings, full_refresh=True)) - call
        identifiers, found, digest = people(settings)
        with connect(settings.warehouse, read_only=True) as connection:
            edges, late = connection.execute(
                "select count(*), count(changed_at) from intermediate.int_identity__edges"
            ).fetchone()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{identifiers:,} identifiers, {edges:,} edges, {late:,} of them new: {found:,} people")
    print(f"one group by over the edges {yardstick:8.2f} s CPU")
    print(f"all at once                 {full:8.2f} s, {full / yardstick:.1f} group-bys")
    print(f"one night                   {night:8.2f} s, {night / again:.1%} of {again:.2f} s")
    print(f"a call of dbt, not counted  {call:8.2f} s")
    print(f"largest use of memory       {peak:8.2f} GiB")
    print("equal" if after_night == (identifiers, found, digest) else "DIFFERENT")


if __name__ == "__main__":
    main()
