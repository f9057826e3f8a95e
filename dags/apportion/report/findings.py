"""What the night found, in sentences, and what speaks for trusting it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb

NO_CONVERSIONS = "No conversion has been counted yet, so there is nothing to apportion."


def trust(facts: dict[str, Any]) -> dict[str, str]:
    """What a reader should know before the first chart: until when, checked how, in what money."""
    # The clock is an exclusive end.
    until = dt.datetime.fromisoformat(facts["as_of"]) - dt.timedelta(microseconds=1)
    checks = facts["gates"]
    failed = [check for check in checks if not check["success"]]
    said = f"{len(checks) - len(failed)} of {len(checks)} checks passed"
    if failed:
        said += f"; {len(failed)} did not, see Data quality"
    return {
        "Data until": f"{until:%Y-%m-%d}",
        "Published": facts["published_at"],
        "Run": facts["run_id"],
        "Gates": said,
        "Amounts in": facts["reporting_currency"],
        "Model unless another is chosen": facts["default_attribution_model"],
    }


def find(
    connection: duckdb.DuckDBPyConnection, tables: set[str], facts: dict[str, Any]
) -> list[str]:
    """At most three sentences: how much, which channel, what personalization has to do with it.

    Args:
        connection: to the published file, in schema marts.
        tables: what is in that schema.
        facts: as `apportion.report.build` takes them.

    Returns:
        Plain text, to be escaped.
    """
    if not {"conversions", "attribution_by_channel", "attribution_by_tactic"} <= tables:
        return [NO_CONVERSIONS]
    total = connection.execute(
        """
        select conversion_type, count(*), coalesce(sum(revenue), 0)
        from conversions
        group by conversion_type
        order by sum(revenue) desc nulls last, count(*) desc, conversion_type
        limit 1
        """
    ).fetchone()
    if total is None:
        return [NO_CONVERSIONS]
    conversion_type, conversions, revenue = total
    model = facts["default_attribution_model"]
    known = {"model": model, "conversion_type": conversion_type}
    unattributed = _one(
        connection,
        """
        select coalesce(sum(conversions), 0)
        from attribution_by_channel
        where
            attribution_model = $model and attribution_scope = 'all'
            and conversion_type = $conversion_type and channel = 'unattributed'
        """,
        known,
    )
    sentences = [
        f"{conversions:,} conversions of type {conversion_type} brought "
        f"{revenue:,.2f} {facts['reporting_currency']}; "
        f"{1 - unattributed / conversions:.0%} of them have a touch that can have credit."
    ]
    first = connection.execute(
        """
        with credits as (
            select attribution_model, channel, sum(conversions) as conversions
            from attribution_by_channel
            where
                attribution_scope = 'all' and channel <> 'unattributed'
                and conversion_type = $conversion_type
            group by all
        )
        select
            channel, max(conversions) filter (where attribution_model = $model) as conversions,
            min(conversions), max(conversions)
        from credits
        group by channel
        having conversions > 0
        order by conversions desc, channel
        limit 1
        """,
        known,
    ).fetchone()
    if first:
        channel, credited, least, most = first
        sentences.append(
            f"{channel} has most credit: {credited:,.0f} conversions by {model}; "
            + (
                "every model gives it as much."
                if round(most) == round(least)
                else f"other models give it from {least:,.0f} to {most:,.0f}."
            )
        )
    personalized = _one(
        connection,
        """
        select sum(conversions)
        from attribution_by_tactic
        where
            attribution_model = $model and attribution_scope = 'all'
            and conversion_type = $conversion_type and tactic not in ('none', 'unattributed')
        """,
        known,
    )
    sentences.append(
        f"Tactics of personalization have {personalized / conversions:.0%} of the credit: "
        f"{personalized:,.0f} conversions by {model}."
        if personalized
        else "No tactic of personalization has credit."
    )
    return sentences


def _one(connection: duckdb.DuckDBPyConnection, query: str, known: dict[str, str]) -> Any:
    return connection.execute(query, known).fetchone()[0]
