"""What a night came to, in one screen: rows, people, journeys, credit, and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import duckdb
from rich.markup import escape
from rich.table import Table

from apportion import report, suites, warehouse
from apportion.datasets import DATASETS
from apportion.night import Night
from apportion.progress import output

ELEMENTS_SHOWN = 4
UNATTRIBUTED = "unattributed"


@dataclass(frozen=True)
class Credit:
    """How one conversion type was apportioned, in scope `all`.

    Attributes:
        conversion_type: which conversions.
        conversions: how many.
        revenue: of them, reporting currency.
        attributed: how many of them have at least one eligible touch.
        attributed_revenue: revenue of those, reporting currency.
        dimension: channel; campaign where all touches came through one channel.
        elements: those with most credit, `(other)` and `unattributed`, as far as there are.
        models: credit in conversions by model and element, in the order of `elements`.
    """

    conversion_type: str
    conversions: float
    revenue: Decimal
    attributed: float
    attributed_revenue: Decimal
    dimension: str
    elements: list[str]
    models: dict[str, list[float]]


@dataclass(frozen=True)
class Summary:
    """What a night came to. Counts are of the whole warehouse, those named `new_` of this night."""

    as_of: str
    rows: int
    new_rows: int
    quarantined: int
    new_quarantined: int
    people: int
    journeys: int
    converting: int
    currency: str
    credits: list[Credit] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


def collect(night: Night) -> Summary:
    """Read the summary of a night from the warehouse.

    Raises:
        WarehouseBusy: another process holds it.
    """
    values = suites.variables(night.settings)
    with warehouse.connect(night.settings.warehouse, read_only=True, sealed=True) as connection:
        # The last day that counts; the clock is its exclusive end.
        (as_of,) = connection.execute(
            "select cast(as_of - interval 1 microsecond as date) from ops.clock"
        ).fetchone()
        tables = " union all by name ".join(
            f"select _batch_id from raw.{warehouse.identifier(dataset)}" for dataset in DATASETS
        )
        rows, new_rows = connection.execute(
            f"select count(*), count(*) filter (where batches.run_id = ?) from ({tables}) as landed"
            " left join raw._batches as batches on landed._batch_id = batches.batch_id",
            [night.run_id],
        ).fetchone()
        quarantined, new_quarantined = connection.execute(
            "select count(*), count(*) filter (where run_id = ?) from raw._quarantine",
            [night.run_id],
        ).fetchone()
        (people,) = connection.execute("select count(*) from marts.user_profiles").fetchone()
        journeys, converting = connection.execute(
            "select count(*), count(*) filter (where is_converted) from marts.journeys"
        ).fetchone()
        return Summary(
            as_of=str(as_of),
            rows=rows,
            new_rows=new_rows,
            quarantined=quarantined,
            new_quarantined=new_quarantined,
            people=people,
            journeys=journeys,
            converting=converting,
            currency=str(values["reporting_currency"]),
            credits=_credits(connection),
            assumed=_assumed(connection, values["consent_default_unknown"]),
        )


def show(night: Night, seconds: float) -> None:
    """Print the summary of a night that was just published.

    Args:
        night: the run.
        seconds: how long it took.
    """
    summary = collect(night)
    console = output()
    console.print()
    for name, text in _lines(night, summary, seconds):
        console.print(f"[bold]{name:<12}[/] {escape(text)}", soft_wrap=True)
    for credit in summary.credits:
        console.print()
        console.print(
            f"[bold]{credit.conversion_type}[/]: conversions credited by {credit.dimension}"
        )
        console.print(_table(credit))


def _lines(night: Night, summary: Summary, seconds: float) -> list[tuple[str, str]]:
    lines = [
        ("night", f"{night.run_id}, as of {summary.as_of}, {seconds:.0f} s"),
        ("rows in", f"{summary.rows:,} ({summary.new_rows:,} of this night)"),
        ("quarantined", f"{summary.quarantined:,} ({summary.new_quarantined:,} of this night)"),
        ("people", f"{summary.people:,}"),
        ("journeys", f"{summary.journeys:,}, of which {summary.converting:,} converted"),
    ]
    for credit in summary.credits:
        share = 100 * credit.attributed / credit.conversions if credit.conversions else 0
        text = f"{share:.1f} % of {credit.conversions:,.0f} {credit.conversion_type} conversions"
        if credit.revenue:
            share = 100 * credit.attributed_revenue / credit.revenue
            text += f", {share:.1f} % of {credit.revenue:,.2f} {summary.currency}"
        lines.append(("attributed", text))
    lines += [("assumed", text) for text in summary.assumed]
    published = night.settings.published
    lines += [
        ("published", str(published / "apportion.duckdb")),
        ("", f"{published / 'parquet'}/<table>.parquet"),
        ("report", str(published / report.FOLDER / report.INDEX)),
    ]
    return lines


def _table(credit: Credit) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("attribution model")
    for element in credit.elements:
        table.add_column(escape(element), justify="right")
    for model, amounts in credit.models.items():
        table.add_row(model, *(f"{amount:,.1f}" for amount in amounts))
    return table


def _credits(connection: duckdb.DuckDBPyConnection) -> list[Credit]:
    types = connection.execute(
        """
        select
            conversion_type,
            sum(conversions) / count(distinct attribution_model),
            sum(revenue) / count(distinct attribution_model)
        from marts.attribution_by_channel
        where attribution_scope = 'all'
        group by conversion_type
        order by 3 desc, 2 desc, 1
        """
    ).fetchall()
    return [_credit(connection, *row) for row in types]


def _credit(
    connection: duckdb.DuckDBPyConnection,
    conversion_type: str,
    conversions: float,
    revenue: float,
) -> Credit:
    dimension, rows = "channel", _by(connection, "channel", conversion_type)
    if len({element for _, element, *_ in rows} - {UNATTRIBUTED}) == 1:
        dimension, rows = "campaign", _by(connection, "campaign", conversion_type)
    totals: dict[str, float] = {}
    for _, element, amount, _ in rows:
        totals[element] = totals.get(element, 0) + amount
    touched = sorted((name for name in totals if name != UNATTRIBUTED), key=lambda n: -totals[n])
    other = ["(other)"] if len(touched) > ELEMENTS_SHOWN else []
    elements = [*touched[:ELEMENTS_SHOWN], *other, UNATTRIBUTED]
    models: dict[str, list[float]] = {}
    for model, element, amount, _ in rows:
        amounts = models.setdefault(model, [0.0] * len(elements))
        amounts[elements.index(element if element in elements else "(other)")] += amount
    # What has no touch is equal in all models: one of them tells.
    missed = [row for row in rows if row[0] == rows[0][0] and row[1] == UNATTRIBUTED]
    return Credit(
        conversion_type=conversion_type,
        conversions=conversions,
        revenue=Decimal(str(round(revenue, 4))),
        attributed=conversions - sum(row[2] for row in missed),
        attributed_revenue=Decimal(str(round(revenue - sum(row[3] for row in missed), 4))),
        dimension=dimension,
        elements=elements,
        models=models,
    )


def _by(
    connection: duckdb.DuckDBPyConnection, dimension: str, conversion_type: str
) -> list[tuple[str, str, float, float]]:
    """Model, element of the dimension, conversions, revenue, in scope `all`."""
    column = {"channel": "channel", "campaign": "campaign_id"}[dimension]
    return connection.execute(
        f"""
        select
            attribution_model,
            coalesce({column}, '(none)') as element,
            cast(sum(conversions) as double) as conversions,
            cast(sum(revenue) as double) as revenue
        from marts.attribution_by_{dimension}
        where attribution_scope = 'all' and conversion_type = ?
        group by attribution_model, element
        order by attribution_model, element
        """,
        [conversion_type],
    ).fetchall()


def _assumed(connection: duckdb.DuckDBPyConnection, unknown_consent: object) -> list[str]:
    """What the input did not say, and what was taken instead.

    Args:
        connection: the warehouse.
        unknown_consent: the var consent_default_unknown.
    """
    assumed = []
    events, silent, consents = connection.execute(
        "select count(*), count(*) filter (where is_consented is null),"
        " (select count(*) from raw.consents) from raw.events"
    ).fetchone()
    if silent:
        says = "there are no consents" if not consents else f"{consents:,} consents are on record"
        assumed.append(
            f"consent: {silent:,} of {events:,} events do not state it and {says};"
            f" what no record rules counts as {unknown_consent}"
        )
    silent, orders = connection.execute(
        "select count(*) filter (where currency is null), count(*) from raw.orders"
    ).fetchone()
    if silent:
        assumed.append(
            f"currency: {silent:,} of {orders:,} orders name none; taken as the reporting currency"
        )
    return assumed
