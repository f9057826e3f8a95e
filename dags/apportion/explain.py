"""One conversion, explained: its journey, each model's credit, why each touch counts or not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

import duckdb
from rich.markup import escape
from rich.table import Table

from apportion import suites, warehouse
from apportion.errors import ApportionError, UsageError
from apportion.progress import output
from apportion.settings import Settings

# seconds
DAY = 86400
# What data-driven models look at, columns of int_attribution__apportioned.
LEARNED = (
    "learned_markov_1",
    "learned_markov_2",
    "learned_markov_3",
    "learned_shapley",
    "path_rate",
    "shorter_path_rate",
)


@dataclass(frozen=True)
class Conversion:
    """The conversion and the rules of its journey; revenue in the reporting currency."""

    conversion_id: str
    user_key: str | None
    conversion_type: str
    order_id: str | None
    revenue: Decimal
    converted_at: dt.datetime
    lookback_days: int
    journey_boundary: str
    previous_converted_at: dt.datetime | None


@dataclass(frozen=True)
class Touch:
    """One touchpoint of the person.

    Attributes:
        touch_number: place in the journey; None: not in it.
        is_eligible: whether touches of its kind may get credit at all.
        type_lookback_days: how far back touches of its type count at most; None: as the conversion.
    """

    touchpoint_id: str
    touched_at: dt.datetime
    touch_type: str
    channel: str
    campaign_id: str | None
    tactic: str
    is_personalized: bool
    is_eligible: bool
    eligible_until: dt.datetime | None
    touch_number: int | None
    type_lookback_days: float | None = None


def reason(conversion: Conversion, touch: Touch) -> str:
    """Why a touch is in the journey of a conversion, or why not, in words."""
    before = conversion.converted_at - touch.touched_at
    age = before.total_seconds() / DAY
    good_until = touch.eligible_until
    lookback: float = conversion.lookback_days
    allowed = f"{lookback}"
    if touch.type_lookback_days is not None and touch.type_lookback_days < lookback:
        lookback = touch.type_lookback_days
        allowed = f"{lookback:g}, the lookback of touches of type {touch.touch_type}"
    within_lookback = before <= dt.timedelta(days=lookback)
    if touch.touch_number is not None:
        if within_lookback:
            return f"counts: {age:.1f} days before, within {allowed}"
        return f"counts: {age:.1f} days before, but good until {good_until:%Y-%m-%d %H:%M}"
    if age < 0:
        return "after the conversion"
    if not touch.is_eligible:
        return f"touches of type {touch.touch_type} get no credit here (seed touchpoint_rules)"
    if not within_lookback and (good_until is None or good_until < conversion.converted_at):
        text = f"too early: {age:.1f} days before, more than {allowed}"
        return text + (f", and good until {good_until:%Y-%m-%d %H:%M} only" if good_until else "")
    previous = conversion.previous_converted_at
    if (
        conversion.journey_boundary == "since_last_conversion"
        and previous is not None
        and touch.touched_at <= previous
    ):
        return (
            f"not later than the previous {conversion.conversion_type}, {previous:%Y-%m-%d %H:%M}"
        )
    return "older than the latest touches that a journey keeps (var max_touches)"


def show(settings: Settings, conversion_id: str) -> None:
    """Print one conversion's journey, each model's credit, and the reason for each touch.

    Raises:
        UsageError: there is no such conversion.
        WarehouseBusy: a night is running.
        ApportionError: there is no warehouse yet.
    """
    if not settings.warehouse.exists():
        raise ApportionError(f"there is no warehouse at {settings.warehouse}", "apportion run")
    with warehouse.connect(settings.warehouse, read_only=True, sealed=True) as connection:
        conversion = _conversion(connection, conversion_id)
        lookbacks = suites.variables(settings)["touch_lookback_days"]
        touches = [
            replace(touch, type_lookback_days=lookbacks.get(touch.touch_type))
            for touch in _touches(connection, conversion)
        ]
        credit = _credit(connection, conversion_id)
        learned = _learned(connection, conversion_id)
    console = output()
    console.print(
        f"[bold]{escape(conversion.conversion_type)}[/] {escape(conversion.conversion_id)}"
        f" at {conversion.converted_at:%Y-%m-%d %H:%M:%S} UTC,"
        f" revenue {conversion.revenue:,.2f}, person {conversion.user_key or 'unknown'}",
        soft_wrap=True,
    )
    console.print(f"lookback {conversion.lookback_days} days, {conversion.journey_boundary}")
    console.print()
    console.print("[bold]touches of the person[/]")
    console.print(_touch_table(conversion, touches))
    for scope in sorted({scope for scope, *_ in credit}):
        console.print()
        console.print(f"[bold]credit, scope {scope}[/], by number of the touch")
        console.print(_credit_table([row[1:] for row in credit if row[0] == scope]))
        console.print(_learned_table([row[1:] for row in learned if row[0] == scope]))


def _conversion(connection: duckdb.DuckDBPyConnection, conversion_id: str) -> Conversion:
    row = connection.execute(
        """
        select
            conversion_id, user_key, conversion_type, order_id, revenue, converted_at,
            lookback_days, journey_boundary, previous_converted_at
        from intermediate.int_conversions__valued
        where conversion_id = ?
        """,
        [conversion_id],
    ).fetchone()
    if row is None:
        raise UsageError(
            f"there is no conversion {conversion_id}",
            "conversion ids are in marts.conversions of the published file",
        )
    return Conversion(*row)


def _touches(connection: duckdb.DuckDBPyConnection, conversion: Conversion) -> list[Touch]:
    rows = connection.execute(
        """
        select
            touchpoints.touchpoint_id,
            touchpoints.touched_at,
            touchpoints.touch_type,
            touchpoints.channel,
            touchpoints.campaign_id,
            touchpoints.tactic,
            touchpoints.is_personalized,
            touchpoints.is_eligible,
            touchpoints.eligible_until,
            journey.touch_number
        from intermediate.int_touchpoints__collapsed as touchpoints
        left join intermediate.int_journeys__touchpoints as journey
            on
                touchpoints.touchpoint_id = journey.touchpoint_id
                and journey.conversion_id = $conversion_id
        where touchpoints.user_key = $user_key
        order by touchpoints.touched_at, touchpoints.touchpoint_id
        """,
        {"conversion_id": conversion.conversion_id, "user_key": conversion.user_key},
    ).fetchall()
    return [Touch(*row) for row in rows]


def _credit(
    connection: duckdb.DuckDBPyConnection, conversion_id: str
) -> list[tuple[str, str, int | None, str, float]]:
    """Scope, model, place of the touch in the journey, channel, credit."""
    return connection.execute(
        """
        select
            credits.attribution_scope,
            credits.attribution_model,
            journey.touch_number,
            credits.channel,
            credits.credit
        from marts.attribution_credits as credits
        left join intermediate.int_journeys__touchpoints as journey
            on
                credits.touchpoint_id = journey.touchpoint_id
                and credits.conversion_id = journey.conversion_id
        where credits.conversion_id = ?
        order by all
        """,
        [conversion_id],
    ).fetchall()


def _learned(
    connection: duckdb.DuckDBPyConnection, conversion_id: str
) -> list[tuple[str, int, str, int | None, bool, dict[str, float | None]]]:
    """Scope, place within it, element, version of the weights, whether older; weights by name."""
    rows = connection.execute(
        f"""
        select
            attribution_scope, touch_number, element, weights_version, is_backfilled,
            {", ".join(LEARNED)}
        from intermediate.int_attribution__apportioned
        where
            conversion_id = ?
            and attribution_scope in ('all', 'personalized')
            and touchpoint_id is not null
        order by all
        """,
        [conversion_id],
    ).fetchall()
    return [(*row[:5], dict(zip(LEARNED, row[5:], strict=True))) for row in rows]


def _learned_table(
    rows: list[tuple[int, str, int | None, bool, dict[str, float | None]]],
) -> Table | str:
    """What the data-driven models knew of each touch, one line per touch."""
    if not rows:
        return ""
    version, is_backfilled = rows[0][2], rows[0][3]
    if version is None:
        return "nothing was learned of this type of conversion: data-driven models fall back"
    title = f"learned weights, version {version}"
    table = Table(
        box=None,
        pad_edge=False,
        title_justify="left",
        title=title + (", fitted after the conversion" if is_backfilled else ""),
    )
    table.add_column("")
    table.add_column("element")
    for name in LEARNED:
        table.add_column(name.removeprefix("learned_"), justify="right")
    for number, element, _, _, weights in rows:
        shown = ("" if value is None else f"{value:.6f}" for value in weights.values())
        table.add_row(str(number), escape(element), *shown)
    return table


def _touch_table(conversion: Conversion, touches: list[Touch]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "touched at (UTC)", "type", "channel", "campaign", "tactic", "why"):
        table.add_column(name, justify="right" if not name else "left", overflow="fold")
    for touch in touches:
        table.add_row(
            str(touch.touch_number or ""),
            f"{touch.touched_at:%Y-%m-%d %H:%M:%S}",
            touch.touch_type,
            escape(touch.channel or ""),
            escape(touch.campaign_id or ""),
            escape(touch.tactic),
            escape(reason(conversion, touch)),
        )
    if not touches:
        table.add_row("", "none", "", "", "", "", "")
    return table


def _credit_table(rows: list[tuple[str, int | None, str, float]]) -> Table:
    """One line per model, one column per touch of the journey."""
    table = Table(box=None, pad_edge=False)
    places = sorted({(number or 0, channel) for _, number, channel, _ in rows})
    table.add_column("attribution model")
    for number, channel in places:
        table.add_column(f"{number or ''} {escape(channel)}".strip(), justify="right")
    for model in sorted({model for model, *_ in rows}):
        credit = {
            (number or 0, channel): share for name, number, channel, share in rows if name == model
        }
        table.add_row(
            model, *(f"{credit[place]:.4f}" if place in credit else "" for place in places)
        )
    return table
