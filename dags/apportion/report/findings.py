"""What the first page says in words: what the gates saw, and the three findings of the night."""

from __future__ import annotations

from typing import Any

import duckdb

# Conversions of two periods that are too few to speak of a change.
FEW = 20
Z95 = 1.96


def trust(facts: dict[str, Any]) -> str:
    """One sentence on the gates of this run."""
    gates = facts["gates"]
    failed = [gate["check"] for gate in gates if not gate["success"]]
    says = f"{len(gates) - len(failed)} of {len(gates)} checks of this night passed"
    return f"{says}; warnings: {', '.join(failed)}." if failed else f"{says}."


def find(
    connection: duckdb.DuckDBPyConnection, tables: set[str], facts: dict[str, Any]
) -> list[str]:
    """The findings, computed; each says what is missing where it cannot be made.

    Args:
        connection: open on the published file, schema marts in use.
        tables: the tables that there are.
        facts: what the manifest says.
    """
    found = []
    for needs, finding in (
        (("attribution_intervals",), _best_channel),
        (("conversions",), _change),
        (("attribution_by_channel",), _disagreement),
    ):
        absent = [table for table in needs if table not in tables]
        if absent:
            found.append(f"This published file has no table {absent[0]}.")
            continue
        try:
            found.append(finding(connection, facts))
        except duckdb.BinderException as error:
            found.append(f"{needs[0]}: {str(error).splitlines()[0]}")
    return found


def _best_channel(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any]) -> str:
    model = facts["settings"]["default_attribution_model"]
    row = connection.execute(
        """
        select
            conversion_type, dimension_value, conversions, conversions_ci_low, conversions_ci_high,
            sum(conversions) over (partition by conversion_type) as total
        from attribution_intervals
        where
            attribution_model = ? and attribution_scope = 'all' and dimension = 'channel'
            and period = 'last_90_days'
        qualify dimension_value <> 'unattributed'
        order by
            sum(revenue) over (partition by conversion_type) desc, total desc, conversion_type,
            conversions desc, dimension_value
        limit 1
        """,
        [model],
    ).fetchone()
    if not row:
        return "No channel has credit in the last 90 days of the data."
    kind, channel, conversions, low, high, total = row
    interval = f" (95 % interval {low:,.0f} to {high:,.0f})" if low is not None else ""
    return (
        f"In the last 90 days, {channel} has the most credit for conversions of type {kind}: "
        f"{conversions:,.0f}{interval} of {total:,.0f}, by the model {model}."
    )


def _change(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any]) -> str:
    rows = connection.execute(
        """
        select
            conversion_type,
            count(*) filter (where converted_at > ends - interval 28 day) as now,
            count(*) filter (where converted_at <= ends - interval 28 day) as before
        from conversions, (select max(converted_at) as ends from conversions)
        where converted_at > ends - interval 56 day
        group by conversion_type
        order by conversion_type
        """
    ).fetchall()
    changes = [
        (abs(now - before) / (now + before) ** 0.5, kind, now, before)
        for kind, now, before in rows
        if before and now + before >= FEW
    ]
    if not changes:
        return "There are too few conversions in the last 56 days of the data to see a change."
    z, kind, now, before = max(changes)
    sure = "more" if z >= Z95 else "no more"
    return (
        f"Conversions of type {kind} went from {before:,} to {now:,} "
        f"({100 * (now / before - 1):+.0f} %) between the last two periods of 28 days, "
        f"{sure} than chance alone moves such counts."
    )


def _disagreement(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any]) -> str:
    row = connection.execute(
        """
        with credits as (
            select attribution_model, conversion_type, channel, sum(conversions) as conversions
            from attribution_by_channel
            where attribution_scope = 'all' and channel <> 'unattributed'
            group by all
        )
        select
            conversion_type, channel,
            arg_min(attribution_model, (conversions, attribution_model)), min(conversions),
            arg_max(attribution_model, (conversions, attribution_model)), max(conversions)
        from credits
        group by conversion_type, channel
        order by max(conversions) - min(conversions) desc, conversion_type, channel
        limit 1
        """
    ).fetchone()
    if not row:
        return "No conversion has a touch, so the models have nothing to disagree on."
    kind, channel, lowest, low, highest, high = row
    if high - low < 0.5:
        return (
            "All models give every channel the same credit: the journeys hold one channel each, "
            "so the channel tells nothing that the model could change."
        )
    return (
        f"The models differ most on {channel} for {kind}: from {low:,.0f} ({lowest}) "
        f"to {high:,.0f} conversions ({highest})."
    )
