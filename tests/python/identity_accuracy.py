"""How well people are found in a simulated shop, whose truth is known.

Precision: of the pairs of identifiers that are one person's by the warehouse, how many are by the
truth. Recall: of the pairs that are one person's by the truth and that landed rows connect, how
many the warehouse found. An identifier that several people used counts as its owner's. Beside it,
what taking the last user id seen with each identifier gives, as most tools do. Events of devices
that several people used are judged one by one.

    python tests/python/identity_accuracy.py --users 2000 --days 90 --world default
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from identity_nights import resolve

from apportion import simulate
from apportion.settings import Settings
from apportion.warehouse import connect

OURS = """
select identifier_type, identifier_value, user_key as found
from intermediate.int_identity__identifiers
"""

_WITH_USER = """
select
    '{kind}' as identifier_type, {kind} as identifier_value, user_id,
    case when user_id is not null then coalesce(last_seen_at, timestamp '1970-01-01') end as seen_at
from intermediate.int_identity__observed where {kind} is not null
"""

LAST_USER = f"""
select
    identifier_type, identifier_value,
    coalesce(max_by(user_id, seen_at), identifier_type || identifier_value) as found
from (
    {
    " union all ".join(
        _WITH_USER.format(kind=kind) for kind in ("email", "phone", "contact_id", "anonymous_id")
    )
}
)
group by identifier_type, identifier_value
union all
select distinct 'user_id', user_id, user_id
from intermediate.int_identity__observed where user_id is not null
"""

PAIRS = """
with joined as (
    select truth.person, truth.component, found.found
    from truth inner join found using (identifier_type, identifier_value)
),
counted as (
    select
        (select sum(n * (n - 1) / 2) from (select count(*) as n from joined group by found))
            as found,
        (select sum(n * (n - 1) / 2) from (select count(*) as n from joined group by component))
            as connected,
        (select sum(n * (n - 1) / 2)
            from (select count(*) as n from joined group by found, person)) as right_found,
        (select sum(n * (n - 1) / 2)
            from (select count(*) as n from joined group by found, component)) as right_connected
)
select right_found / found, right_connected / connected from counted
"""

EVENTS = """
with owners as (
    select found.found, mode(truth.person order by truth.person) as person
    from truth inner join found using (identifier_type, identifier_value)
    group by found.found
)
select avg((owners.person = shared.person)::integer)
from shared
inner join assigned using (event_id)
left join owners on owners.found = assigned.found
"""

ASSIGNED = {
    "ours": "select event_id, user_key as found from intermediate.int_events__deduplicated",
    "last user id": """
        select
            events.event_id,
            coalesce(nullif(trim(events.user_id), ''), devices.found) as found
        from staging.stg_landing__events as events
        inner join found as devices
            on devices.identifier_type = 'anonymous_id'
            and devices.identifier_value = trim(events.anonymous_id)
    """,
}


def measure(settings: Settings) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and the share of shared devices' events that went to who was there."""
    truth = settings.landing.parent / simulate.TRUTH
    found = {}
    with connect(settings.warehouse, read_only=True) as connection:
        connection.execute(
            "create temp table truth as select * replace"
            " (coalesce(person, 'robot ' || component) as person)"
            f" from '{truth / 'identities.parquet'}' where is_owner or is_bot;"
            f"create temp table shared as from '{truth / 'shared_events.parquet'}'"
        )
        for name, query in (("ours", OURS), ("last user id", LAST_USER)):
            connection.execute(f"create or replace temp table found as {query}")
            connection.execute(f"create or replace temp table assigned as {ASSIGNED[name]}")
            pairs = connection.execute(PAIRS).fetchone()
            found[name] = (*pairs, connection.execute(EVENTS).fetchone()[0])
    return found


def run(folder: Path, users: int, days: int, seed: int, world: str) -> Settings:
    """Simulate a shop and find its people."""
    settings = Settings.resolve(folder / "data", folder / "landing")
    simulate.simulate(settings.landing, users=users, days=days, seed=seed, world=world)
    resolve(settings, None, full_refresh=True, more=("+int_events__deduplicated",))
    return settings


def main() -> None:
    """Print the numbers of one world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", default="default")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = run(Path(folder), chosen.users, chosen.days, chosen.seed, chosen.world)
        print(f"{'':14}{'precision':>12}{'recall':>12}{'events of shared devices':>28}")
        for name, (precision, recall, events) in measure(settings).items():
            print(f"{name:14}{precision:12.4f}{recall:12.4f}{events:28.4f}")


if __name__ == "__main__":
    main()
