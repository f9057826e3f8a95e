"""What the report shows: pages, the datasets behind them, and the cards that draw them."""

from __future__ import annotations

from dataclasses import dataclass, field

PAGES = {
    "overview": "Overview",
    "models": "Models",
    "personalization": "Personalization",
    "journeys": "Journeys",
    "segments": "Segments",
    "people": "People",
    "roi": "ROI",
    "quality": "Data quality",
}
# Rows of one dimension that are shown by name; the rest is (other). Months that are shown.
NAMED = 12
MONTHS = 15
# Rows that are shown of a table that is shown as it is.
ROWS = 300
# People of the sample who are on the map of the clusters.
PLACES = 1200
# z of a 95 % interval.
Z95 = 1.959964


@dataclass(frozen=True)
class Dataset:
    """Rows that are summed over everything a card does not show.

    Attributes:
        name: what cards call it.
        tables: tables of schema marts that the query reads.
        query: select over them; every column that is no measure is text to filter or group by.
        measures: kind (count, number, money, percent) per numeric column; None: as the types say.
        missing: what to say where there are no rows.
    """

    name: str
    tables: tuple[str, ...]
    query: str
    measures: dict[str, str] | None
    missing: str


@dataclass(frozen=True)
class Card:
    """One chart with its sentence and its table.

    Attributes:
        name: id of the element.
        page: key of PAGES.
        title: heading.
        dataset: name of the dataset.
        chart: bar, column, dots, line, heat, map, funnel, compare, sankey, or rows for the table
            alone.
        by: columns of the rows of the table; the first is the axis, the second the series.
        values: measures of which the filter Value chooses one; the first unless it is there.
        shown: further measures of the table.
        ratios: name: (numerator, denominator, kind), taken after the sums.
        note: what must be known to read it.
        is_summed: False: rows cannot be added up; all filters choose one value.
        interval: measures have columns <measure>_ci_low and _ci_high.
        in_order: the axis keeps the order of the rows, else the largest comes first.
    """

    name: str
    page: str
    title: str
    dataset: str
    chart: str
    by: tuple[str, ...]
    values: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    ratios: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    note: str = ""
    is_summed: bool = True
    interval: bool = False
    in_order: bool = False


AMOUNTS = {"conversions": "number", "revenue": "money"}
NO_CONVERSIONS = "No conversion has been counted yet, so there is no credit to show."


def _told(column: str) -> str:
    """What is shown of a column of attribution_credits that may be null."""
    return (
        f"case when touchpoint_id is null then 'unattributed' else coalesce({column}, '(none)') end"
    )


def _named(column: str) -> str:
    """A common table of the elements of `credits` that are shown by name."""
    return f"""named_{column} as (
                select {column}
                from credits
                where attribution_model = $default_model
                group by {column}
                order by {column} = 'unattributed' desc, sum(conversions) desc, {column}
                limit {NAMED}
            )"""


def _credited(dimension: str, column: str) -> Dataset:
    """Credit by month and one dimension, of the largest elements by name."""
    return Dataset(
        name=f"by_{dimension}",
        tables=(f"attribution_by_{dimension}",),
        query=f"""
            with credits as (
                select *, coalesce({column}, '(none)') as element,
                    date_trunc('month', converted_date) as converted_month
                from attribution_by_{dimension}
                where attribution_scope in ('all', 'personalized')
            ),
            named as (
                select element
                from credits
                where attribution_model = $default_model
                group by element
                order by element = 'unattributed' desc, sum(conversions) desc, element
                limit {NAMED}
            )
            select
                attribution_model, attribution_scope, conversion_type,
                strftime(converted_month, '%Y-%m') as month,
                case when element in (from named) then element else '(other)' end as {dimension},
                sum(conversions) as conversions,
                sum(revenue) as revenue
            from credits
            where converted_month > (select max(converted_month) from credits)
                - interval {MONTHS} month
            group by all
            having sum(conversions) > 0 or sum(revenue) <> 0
            order by all
        """,
        measures=AMOUNTS,
        missing=NO_CONVERSIONS,
    )


def _rows(table: str, missing: str) -> Dataset:
    """A small table as it is; numbers by their type."""
    return Dataset(table, (table,), f"from {table} limit {ROWS}", None, missing)


DATASETS = (
    Dataset(
        name="daily",
        tables=("conversions",),
        query="""
            select
                conversion_type, strftime(converted_at, '%Y-%m') as month,
                strftime(converted_at, '%Y-%m-%d') as day,
                count(*) as conversions, coalesce(sum(revenue), 0) as revenue
            from conversions
            where converted_at > (select max(converted_at) from conversions) - interval 400 day
            group by all
            order by all
        """,
        measures={"conversions": "count", "revenue": "money"},
        missing="No conversion has been counted yet.",
    ),
    _credited("channel", "channel"),
    Dataset(
        name="within_channels",
        tables=("attribution_credits",),
        query=f"""
            with credits as (
                select
                    attribution_model, attribution_scope, conversion_type, channel,
                    date_trunc('month', converted_at) as converted_month,
                    {_told("campaign_id")} as campaign,
                    {_told("content_id")} as content,
                    {_told("tactic")} as tactic,
                    sum(credit) as conversions,
                    sum(credited_revenue) as revenue
                from attribution_credits
                group by all
            ),
            {_named("campaign")},
            {_named("content")}
            select
                attribution_model, attribution_scope, conversion_type, channel,
                strftime(converted_month, '%Y-%m') as month,
                case when campaign in (from named_campaign) then campaign else '(other)' end
                    as campaign,
                case when content in (from named_content) then content else '(other)' end
                    as content,
                tactic,
                sum(conversions) as conversions,
                sum(revenue) as revenue
            from credits
            where converted_month > (select max(converted_month) from credits)
                - interval {MONTHS} month
            group by all
            having sum(conversions) > 0 or sum(revenue) <> 0
            order by all
        """,
        measures=AMOUNTS,
        missing=NO_CONVERSIONS,
    ),
    _credited("content", "content_id"),
    _credited("tactic", "tactic"),
    Dataset(
        name="intervals",
        tables=("attribution_intervals",),
        query="""
            select
                attribution_model, attribution_scope, conversion_type, period,
                dimension_value as channel,
                conversions, conversions_ci_low, conversions_ci_high,
                revenue, revenue_ci_low, revenue_ci_high
            from attribution_intervals
            where dimension = 'channel' and period <> 'month'
            order by all
        """,
        measures={
            **AMOUNTS,
            "conversions_ci_low": "number",
            "conversions_ci_high": "number",
            "revenue_ci_low": "money",
            "revenue_ci_high": "money",
        },
        missing="There are no intervals: no conversion fell into the last 90 days of the data.",
    ),
    Dataset(
        name="segment_credit",
        tables=("attribution_by_segment",),
        query="""
            with sizes as (
                select segment_family, segment, row_number() over (
                    partition by segment_family order by sum(conversions) desc, segment
                ) as place
                from attribution_by_segment
                where attribution_model = $default_model and attribution_scope = 'all'
                group by segment_family, segment
            )
            select
                attribution_model, attribution_scope, conversion_type, segment_family,
                case when place <= 15 then segment else '(other)' end as segment,
                case when channel = 'unattributed' then 'unattributed' else tactic end as tactic,
                sum(conversions) as conversions, sum(revenue) as revenue
            from attribution_by_segment left join sizes using (segment_family, segment)
            group by all
            having sum(conversions) > 0.00005 or sum(revenue) <> 0
            order by all
        """,
        measures=AMOUNTS,
        missing="No conversion could be given to a segment and a tactic.",
    ),
    Dataset(
        name="lift",
        tables=("journeys", "journey_touchpoints", "touchpoints"),
        query=f"""
            with tactics as (
                select distinct journey_id, coalesce(tactic, 'none') as tactic
                from journey_touchpoints
                inner join touchpoints using (touchpoint_id)
                where is_personalized
            ),
            -- Each journey is in every family: people are told apart by a number, not by a text.
            journeys_of_people as (
                select
                    journey_id, conversion_type, is_converted,
                    case
                        when user_key is not null then dense_rank() over (order by user_key)
                    end as person_number
                from journeys
            ),
            labelled as (
                unpivot (
                    select
                        conversion_type, person_number, is_converted, tactic,
                        columns('^segment_')
                    from journey_touchpoints
                    inner join journeys_of_people using (journey_id)
                    left join tactics using (journey_id)
                    where touch_number = touch_count
                )
                on columns('^segment_') into name segment_family value segment
            ),
            outcomes as (
                select
                    conversion_type, substr(segment_family, 9) as segment_family, segment,
                    coalesce(tactic, 'none') as tactic, tactic is null as is_baseline,
                    count(*) as journeys, count(*) filter (where is_converted) as conversions,
                    count(distinct person_number) as people
                from labelled
                group by all
            ),
            compared as (
                select
                    touched.*, baseline.journeys as other_journeys,
                    baseline.conversions as other_conversions,
                    touched.conversions / touched.journeys as conversion_rate,
                    baseline.conversions / baseline.journeys as other_rate,
                    sqrt(
                        1 / nullif(touched.conversions, 0) - 1 / touched.journeys
                        + 1 / nullif(baseline.conversions, 0) - 1 / baseline.journeys
                    ) as error
                from outcomes as touched
                left join outcomes as baseline
                    on touched.conversion_type = baseline.conversion_type
                    and touched.segment_family = baseline.segment_family
                    and touched.segment = baseline.segment
                    and baseline.is_baseline and baseline.people >= $min_people
                where not touched.is_baseline and touched.people >= $min_people
            )
            select
                conversion_type, segment_family, segment, tactic, journeys, conversions,
                other_journeys, conversion_rate, other_rate,
                conversion_rate / nullif(other_rate, 0) - 1 as lift,
                conversion_rate / nullif(other_rate, 0) * exp(-{Z95} * error) - 1 as lift_ci_low,
                conversion_rate / nullif(other_rate, 0) * exp({Z95} * error) - 1 as lift_ci_high
            from compared
            order by all
        """,
        measures={
            "journeys": "count",
            "conversions": "count",
            "other_journeys": "count",
            "conversion_rate": "percent",
            "other_rate": "percent",
            "lift": "percent",
            "lift_ci_low": "percent",
            "lift_ci_high": "percent",
        },
        missing="No journey has a personalized touch, so there is nothing to compare.",
    ),
    _rows(
        "experiment_results",
        "No experiment has been assigned: lift here is a comparison, not an effect.",
    ),
    Dataset(
        name="moves",
        tables=("journeys",),
        query=f"""
            with steps as (
                select
                    conversion_type, is_converted, path, unnest(range(1, 5)) as step
                from journeys
                where touch_count > 0
            ),
            named as (
                select channel
                from (select unnest(path) as channel from journeys)
                group by channel
                order by count(*) desc, channel
                limit {NAMED - 4}
            ),
            moves as (
                select
                    conversion_type, step,
                    path[step] as from_channel,
                    case
                        when step < 4 and len(path) > step then path[step + 1]
                        when len(path) > step then 'later touches'
                        when is_converted then 'converted'
                        else 'not converted'
                    end as to_channel,
                    len(path) > step and step < 4 as is_touch
                from steps
                where len(path) >= step
            )
            select
                conversion_type, cast(step as varchar) as step,
                case
                    when from_channel in (from named) then from_channel else '(other)'
                end as from_channel,
                case
                    when not is_touch or to_channel in (from named) then to_channel
                    else '(other)'
                end as to_channel,
                count(*) as journeys
            from moves
            group by all
            order by all
        """,
        measures={"journeys": "count"},
        missing="No journey has a touch.",
    ),
    Dataset(
        name="paths",
        tables=("path_summary",),
        query="""
            select
                conversion_type, path_kind,
                coalesce(nullif(array_to_string(path, ' > '), ''), '(no touch)') as path,
                conversions, non_conversions, conversions + non_conversions as journeys, revenue
            from path_summary
            qualify row_number() over (
                partition by conversion_type, path_kind
                order by conversions desc, non_conversions desc, path
            ) <= 20
            order by conversion_type, path_kind, conversions desc, path
        """,
        measures={
            "conversions": "count",
            "non_conversions": "count",
            "journeys": "count",
            "revenue": "money",
        },
        missing="No journey has been made yet.",
    ),
    Dataset(
        name="lengths",
        tables=("journeys",),
        query="""
            select
                conversion_type,
                case
                    when touch_count < 10 then cast(touch_count as varchar)
                    when touch_count < 20 then '10-19'
                    when touch_count < 50 then '20-49'
                    else '50 and more'
                end as touches,
                count(*) as journeys, count(*) filter (where is_converted) as conversions
            from journeys
            group by all
            order by min(touch_count), conversion_type
        """,
        measures={"journeys": "count", "conversions": "count"},
        missing="No journey has been made yet.",
    ),
    Dataset(
        name="lags",
        tables=("journeys",),
        query="""
            select
                conversion_type,
                case
                    when days_to_conversion < 1 then 'under 1'
                    when days_to_conversion < 2 then '1'
                    when days_to_conversion < 4 then '2-3'
                    when days_to_conversion < 8 then '4-7'
                    when days_to_conversion < 15 then '8-14'
                    when days_to_conversion < 31 then '15-30'
                    else '31 and more'
                end as days,
                count(*) as conversions
            from journeys
            where is_converted and touch_count > 0
            group by all
            order by min(days_to_conversion), conversion_type
        """,
        measures={"conversions": "count"},
        missing="No conversion has a touch before it.",
    ),
    Dataset(
        name="roles",
        tables=("journeys",),
        query="""
            with channels as (
                select conversion_type, journey_id, unnest(list_distinct(path)) as channel,
                    path[-1] as last_channel, path[1] as first_channel
                from journeys
                where is_converted and touch_count > 0
            )
            select
                conversion_type, channel,
                count(*) filter (where channel = first_channel) as opened,
                count(*) filter (where channel <> last_channel) as assisted,
                count(*) filter (where channel = last_channel) as closed
            from channels
            group by all
            order by all
        """,
        measures={"opened": "count", "assisted": "count", "closed": "count"},
        missing="No conversion has a touch before it.",
    ),
    Dataset(
        name="example",
        tables=("journeys", "attribution_credits", "touchpoints"),
        query="""
            with example as (
                select conversion_id
                from journeys
                where is_converted and touch_count > 0
                order by
                    touch_count between 3 and 6 desc, len(path_unique) desc, touch_count,
                    conversion_id
                limit 1
            )
            select
                credits.conversion_type,
                credits.channel, coalesce(credits.campaign_id, '(none)') as campaign,
                coalesce(credits.tactic, 'none') as tactic,
                any_value(touch_type) as touch_type,
                round((epoch(any_value(converted_at)) - epoch(any_value(credits.touched_at)))
                    / 86400e0, 2) as days_before,
                sum(credit) filter (where attribution_model = 'first_touch') as first_touch,
                sum(credit) filter (where attribution_model = 'last_touch') as last_touch,
                sum(credit) filter (where attribution_model = 'linear') as linear,
                sum(credit) filter (where attribution_model = $default_model) as default_model
            from attribution_credits as credits
            left join touchpoints using (touchpoint_id)
            where
                attribution_scope = 'all' and conversion_id in (from example)
            group by
                credits.conversion_type, touchpoint_id, credits.channel, credits.campaign_id,
                credits.tactic
            order by days_before desc nulls last, touchpoint_id
        """,
        measures={
            "days_before": "number",
            "first_touch": "percent",
            "last_touch": "percent",
            "linear": "percent",
            "default_model": "percent",
        },
        missing="No conversion has a touch before it.",
    ),
    Dataset(
        name="sizes",
        tables=("segment_memberships",),
        query=f"""
            with months as (
                select unnest(generate_series(
                    date_trunc('month', $as_of) - interval {MONTHS - 1} month,
                    date_trunc('month', $as_of),
                    interval 1 month
                )) + interval 1 month as ended_at
            ),
            -- The night's own moment takes the place of an end of a month in the week before it: on
            -- days between them little happens but that recency ages, which looks like a jump.
            ends as (
                select distinct least(ended_at, $as_of) as ended_at
                from months
                where ended_at >= $as_of or ended_at < $as_of - interval 7 day
            )
            select
                segment_family, segment,
                strftime(ended_at, '%Y-%m-%d') as day,
                count(*) as people
            from segment_memberships
            inner join ends
                on valid_from <= ended_at and coalesce(valid_to, 'infinity') > ended_at
            group by all
            order by day, segment_family, segment
        """,
        measures={"people": "count"},
        missing="Nobody is in a segment yet.",
    ),
    Dataset(
        name="changes",
        tables=("segment_memberships",),
        query="""
            select
                earlier.segment_family, earlier.segment as from_segment,
                present.segment as to_segment, count(*) as people
            from segment_memberships as earlier
            inner join segment_memberships as present using (user_key, segment_family)
            where
                present.is_current and present.segment <> earlier.segment
                and earlier.valid_from <= $as_of - interval 90 day
                and coalesce(earlier.valid_to, 'infinity') > $as_of - interval 90 day
            group by all
            having count(*) >= $min_people
            order by all
        """,
        measures={"people": "count"},
        missing="Too few people are in another segment than 90 days before to show it.",
    ),
    Dataset(
        name="personas",
        tables=("segment_memberships", "user_profiles"),
        query="""
            select
                segment_family, segment, count(*) as people,
                sum(revenue) as revenue, sum(orders_count) as orders,
                sum(sessions_count) as sessions, sum(engagement_score) as engagement
            from segment_memberships inner join user_profiles using (user_key)
            where is_current
            group by all
            having count(*) >= $min_people
            order by all
        """,
        measures={
            "people": "count",
            "revenue": "money",
            "orders": "count",
            "sessions": "count",
            "engagement": "count",
        },
        missing="No segment has enough people to be described.",
    ),
    _rows("segment_quality", "No night has described the segments yet."),
    _rows("cluster_comparison", "No clusters were fitted: there are too few people."),
    Dataset(
        name="cluster_map",
        tables=("cluster_map",),
        query=f"""
            select
                cast(place_number as varchar) as place, segment as cluster,
                round(map_x, 2) as across, round(map_y, 2) as up
            from cluster_map
            order by place_number
            limit {PLACES}
        """,
        measures={"across": "number", "up": "number"},
        missing="There is no map: no clusters were fitted, or of too few people.",
    ),
    _rows("segment_lift", "Which family matters was not tested: there are too few journeys."),
    Dataset(
        name="segment_model_cards",
        tables=("segment_model_cards",),
        query=f"""
            select
                segment_family, version, trained_as_of, algorithm, outcome, outcome_days,
                rows_learned, rows_held_back, roc_auc, baseline_roc_auc, brier, calibration_error,
                is_promoted, is_champion, is_stale, remark
            from segment_model_cards
            order by segment_family, version desc
            limit {ROWS}
        """,
        measures=None,
        missing="No predictive model has been trained.",
    ),
    _rows("privacy_audit_log", "Nothing was erased, exported or kept out for want of consent."),
    _rows("attribute_importance", "Which attributes matter has not been tested."),
    _rows("attribution_model_quality", "No model could be judged: there are too few journeys."),
    Dataset(
        name="funnels",
        tables=("funnel_steps",),
        query="""
            select
                funnel, segment_family, segment, printf('%d. %s', step_number, step) as step,
                users
            from funnel_steps
            where segment_family <> 'all'
            order by funnel, step_number, segment_family, segment
        """,
        measures={"users": "count"},
        missing="No event of any funnel has been seen.",
    ),
    Dataset(
        name="cohorts",
        tables=("cohort_retention",),
        query="""
            select
                segment_family, segment, strftime(cohort_month, '%Y-%m') as cohort,
                printf('%02d', month_number) as month_number, users, retained, revenue
            from cohort_retention
            where month_number <= 12 and segment_family <> 'all'
            order by cohort, month_number, segment_family, segment
        """,
        measures={"users": "count", "retained": "count", "revenue": "money"},
        missing="Nobody has ordered yet, so there are no cohorts.",
    ),
    Dataset(
        name="values",
        tables=("user_profiles",),
        query="""
            with ranked as (
                select predicted_clv, ntile(10) over (order by predicted_clv) as tenth
                from user_profiles
                where predicted_clv is not null
            )
            select
                printf('%d (up to %.2f)', tenth, cast(max(predicted_clv) as double)) as tenth,
                count(*) as people, sum(predicted_clv) as predicted_clv
            from ranked
            group by ranked.tenth
            order by ranked.tenth
        """,
        measures={"people": "count", "predicted_clv": "money"},
        missing="No lifetime value is predicted: too few customers came back to fit a model.",
    ),
    Dataset(
        name="lifecycle",
        tables=("user_profiles",),
        query="""
            select
                coalesce(lifecycle_stage, 'unclassified') as lifecycle_stage, count(*) as people,
                sum(orders_count) as orders, sum(revenue) as revenue
            from user_profiles
            group by all
            order by all
        """,
        measures={"people": "count", "orders": "count", "revenue": "money"},
        missing="There are no people yet.",
    ),
    Dataset(
        name="roi",
        tables=("attribution_roi",),
        query=f"""
            select
                attribution_model, conversion_type, date_basis,
                strftime(credited_month, '%Y-%m') as month, channel,
                sum(conversions) as conversions, sum(revenue) as revenue, sum(margin) as margin,
                sum(spend) as spend
            from attribution_roi
            where
                dimension = 'channel' and attribution_scope = 'all' and spend is not null
                and credited_month
                    > (select max(credited_month) from attribution_roi) - interval {MONTHS} month
            group by all
            order by all
        """,
        measures={**AMOUNTS, "margin": "money", "spend": "money"},
        missing="No spend data has been landed, so cost and return are unknown (not nought).",
    ),
    Dataset(
        name="reallocation",
        tables=("attribution_budget_reallocation",),
        query="""
            select
                attribution_model, conversion_type, channel,
                sum(spend) as spend, sum(proposed_spend) as proposed_spend,
                sum(spend_change) as spend_change
            from attribution_budget_reallocation
            where
                dimension = 'channel' and attribution_scope = 'all'
                and credited_month = (
                    select max(credited_month) from attribution_budget_reallocation
                )
            group by all
            order by all
        """,
        measures={"spend": "money", "proposed_spend": "money", "spend_change": "money"},
        missing="No spend data has been landed, so there is no budget to move.",
    ),
    Dataset(
        name="accounting",
        tables=("load_accounting",),
        query="""
            select
                dataset, count(*) as files, sum(rows_in_file) as rows_in_files,
                sum(rows_loaded) as rows_loaded, sum(rows_quarantined) as rows_quarantined,
                sum(duplicate_rows) as duplicate_rows, sum(excluded_rows) as excluded_rows,
                sum(no_consent_rows) as no_consent_rows, sum(bot_rows) as bot_rows,
                sum(internal_rows) as internal_rows, sum(late_rows) as late_rows
            from load_accounting
            group by all
            order by all
        """,
        measures=dict.fromkeys(
            [
                "files",
                "rows_in_files",
                "rows_loaded",
                "rows_quarantined",
                "duplicate_rows",
                "excluded_rows",
                "no_consent_rows",
                "bot_rows",
                "internal_rows",
                "late_rows",
            ],
            "count",
        ),
        missing="No file has been landed.",
    ),
    Dataset(
        name="gates",
        tables=("quality_results",),
        query="""
            with runs as (
                select distinct run_id from quality_results order by run_id desc limit 30
            )
            select
                run_id, stage, case when success then 'passed' else severity end as outcome,
                count(*) as checks
            from quality_results
            where run_id in (from runs)
            group by all
            order by run_id, outcome, stage
        """,
        measures={"checks": "count"},
        missing="No check has been made.",
    ),
    Dataset(
        name="failed_checks",
        tables=("quality_results",),
        query="""
            select "at", stage, "check", severity, observed, reason
            from quality_results
            where not success
            order by "at" desc, "check"
            limit 100
        """,
        measures={},
        missing="Every check of every night passed.",
    ),
    Dataset(
        name="freshness",
        tables=("source_freshness",),
        query="""
            select dataset, status, rows, days_overdue, last_row_at
            from source_freshness
            where run_id = (select max(run_id) from source_freshness)
            order by dataset
        """,
        measures={"rows": "count", "days_overdue": "number"},
        missing="No data set has been looked at.",
    ),
    Dataset(
        name="schema_changes",
        tables=("source_schema_changes",),
        query="""
            select
                loaded_at, dataset, parse_filename(path) as file, change_type,
                previous_header, header_name, previous_kind, kind
            from source_schema_changes
            order by loaded_at desc, file
            limit 100
        """,
        measures={},
        missing="No file changed its columns.",
    ),
    Dataset(
        name="unmatched",
        tables=("touchpoints",),
        query="""
            select
                channel, touch_type, count(*) as touches,
                count(*) filter (where campaign_id is null) as without_campaign
            from touchpoints
            where is_paid or touch_type = 'delivery'
            group by all
            having count(*) filter (where campaign_id is null) > 0
            order by all
        """,
        measures={"touches": "count", "without_campaign": "count"},
        missing="Every paid touch and every delivery names its campaign.",
    ),
)

CREDIT = ("conversions", "revenue")
RATE = {"conversion_rate": ("conversions", "journeys", "percent")}
NOT_CAUSE = "Credit is not causation: it tells what stood before a conversion, not what caused it."
CARDS = (
    Card(
        "daily", "overview", "Conversions by day", "daily", "line", ("day",), CREDIT, in_order=True
    ),
    Card(
        "credit",
        "overview",
        "Credit by channel",
        "by_channel",
        "bar",
        ("channel",),
        CREDIT,
        note=NOT_CAUSE,
    ),
    Card(
        "models",
        "models",
        "What each model gives each channel",
        "by_channel",
        "dots",
        ("channel", "attribution_model"),
        CREDIT,
        note="The wider one channel's marks lie apart, the more its number is a matter of "
        "the model.",
    ),
    Card(
        "intervals",
        "models",
        "How sure the credit is",
        "intervals",
        "bar",
        ("channel",),
        CREDIT,
        shown=(
            "conversions_ci_low",
            "conversions_ci_high",
            "revenue_ci_low",
            "revenue_ci_high",
        ),
        note="95 % intervals by drawing people with replacement; up to the last day of the data.",
        is_summed=False,
        interval=True,
    ),
    Card(
        "compare",
        "models",
        "Two models compared",
        "by_channel",
        "compare",
        ("channel",),
        CREDIT,
    ),
    Card(
        "channels",
        "models",
        "By channel",
        "within_channels",
        "bar",
        ("channel",),
        CREDIT,
        note="Click on a bar, here or below, to see only what is within it; again, to see all.",
    ),
    Card("campaigns", "models", "By campaign", "within_channels", "bar", ("campaign",), CREDIT),
    Card("contents", "models", "By content", "within_channels", "bar", ("content",), CREDIT),
    Card("tactics", "models", "By tactic", "within_channels", "bar", ("tactic",), CREDIT),
    Card(
        "tactic_credit",
        "personalization",
        "Credit by tactic and segment",
        "segment_credit",
        "heat",
        ("segment", "tactic"),
        CREDIT,
        note=NOT_CAUSE,
    ),
    Card(
        "tactic_rate",
        "personalization",
        "Conversion rate by tactic and segment",
        "lift",
        "heat",
        ("segment", "tactic"),
        ("conversion_rate",),
        shown=("journeys", "conversions"),
        note="Of the journeys with at least one touch of the tactic, by the segment of the person "
        "at the journey's last touch.",
        is_summed=False,
    ),
    Card(
        "tactic_lift",
        "personalization",
        "Lift by tactic and segment",
        "lift",
        "heat",
        ("segment", "tactic"),
        ("lift",),
        shown=(
            "lift_ci_low",
            "lift_ci_high",
            "journeys",
            "conversion_rate",
            "other_journeys",
            "other_rate",
        ),
        note="Against journeys of the same segment with no personalized touch, with 95 % "
        "intervals; n.s.: the interval holds nought; cells of too few people are left out. "
        "Nobody was drawn by chance for this: it compares, it proves no effect. Experiments do.",
        is_summed=False,
        interval=True,
    ),
    Card(
        "experiments",
        "personalization",
        "Experiments",
        "experiment_results",
        "rows",
        (),
    ),
    Card(
        "scopes",
        "personalization",
        "Personalized touches alone, against all touches",
        "by_tactic",
        "bar",
        ("tactic", "attribution_scope"),
        CREDIT,
    ),
    Card(
        "content_ranking",
        "personalization",
        "Contents that were shown",
        "by_content",
        "bar",
        ("content",),
        CREDIT,
    ),
    Card(
        "moves",
        "journeys",
        "From touch to touch",
        "moves",
        "sankey",
        ("step", "from_channel", "to_channel"),
        ("journeys",),
        note="The first four touches of each journey, by channel.",
    ),
    Card(
        "paths",
        "journeys",
        "The most frequent paths",
        "paths",
        "bar",
        ("path",),
        ("conversions",),
        shown=("non_conversions", "journeys", "revenue"),
        ratios=RATE,
    ),
    Card(
        "lengths",
        "journeys",
        "Touches of a journey",
        "lengths",
        "column",
        ("touches",),
        ("conversions",),
        shown=("journeys",),
        ratios=RATE,
        in_order=True,
    ),
    Card(
        "lags",
        "journeys",
        "Days from the first touch to the conversion",
        "lags",
        "column",
        ("days",),
        ("conversions",),
        in_order=True,
    ),
    Card(
        "roles",
        "journeys",
        "Who opens, assists and closes",
        "roles",
        "bar",
        ("channel",),
        ("closed",),
        shown=("opened", "assisted"),
        ratios={"assists_per_close": ("assisted", "closed", "number")},
    ),
    Card(
        "example",
        "journeys",
        "One conversion explained",
        "example",
        "rows",
        (),
        note="One conversion with several touches: the share that each model gives to each touch. "
        "apportion explain shows any other.",
    ),
    Card(
        "sizes",
        "segments",
        "Sizes over time",
        "sizes",
        "line",
        ("day", "segment"),
        ("people",),
        in_order=True,
    ),
    Card(
        "changes",
        "segments",
        "From the segment of 90 days ago to the present one",
        "changes",
        "heat",
        ("from_segment", "to_segment"),
        ("people",),
    ),
    Card(
        "personas",
        "segments",
        "What distinguishes the segments",
        "personas",
        "bar",
        ("segment",),
        ("people",),
        shown=("revenue", "orders", "sessions"),
        ratios={
            "revenue_per_person": ("revenue", "people", "money"),
            "orders_per_person": ("orders", "people", "number"),
            "sessions_per_person": ("sessions", "people", "number"),
            "mean_engagement": ("engagement", "people", "number"),
        },
    ),
    Card("segment_quality", "segments", "Quality and stability", "segment_quality", "rows", ()),
    Card(
        "clusters",
        "segments",
        "Ways to cluster that were compared",
        "cluster_comparison",
        "rows",
        (),
    ),
    Card(
        "cluster_map",
        "segments",
        "Map of the clusters",
        "cluster_map",
        "map",
        ("place", "cluster"),
        ("across",),
        shown=("up",),
        note="Each mark is a person of a sample, near those who do alike (t-SNE); how far apart "
        "far groups lie means nothing.",
        is_summed=False,
        in_order=True,
    ),
    Card(
        "family_lift",
        "segments",
        "Which family helps to foretell conversions",
        "segment_lift",
        "rows",
        (),
        note="Lift: how much the log loss falls when the family is known, with its interval.",
    ),
    Card("model_cards", "segments", "Model cards", "segment_model_cards", "rows", ()),
    Card("importance", "segments", "Attributes that matter", "attribute_importance", "rows", ()),
    Card(
        "model_quality",
        "segments",
        "How well the attribution models foretell",
        "attribution_model_quality",
        "rows",
        (),
        note="On journeys that the fit did not see; an AUC of 0.5 is guessing.",
    ),
    Card(
        "funnels",
        "people",
        "Funnel",
        "funnels",
        "funnel",
        ("step",),
        ("users",),
        in_order=True,
    ),
    Card(
        "funnel_segments",
        "people",
        "Funnel by segment",
        "funnels",
        "heat",
        ("segment", "step"),
        ("users",),
        in_order=True,
    ),
    Card(
        "retention",
        "people",
        "Retention by month of the first order",
        "cohorts",
        "heat",
        ("cohort", "month_number"),
        ("retention_rate",),
        shown=("users", "retained"),
        ratios={"retention_rate": ("retained", "users", "percent")},
        in_order=True,
    ),
    Card(
        "cohort_revenue",
        "people",
        "Revenue by month of the first order",
        "cohorts",
        "heat",
        ("cohort", "month_number"),
        ("revenue",),
        in_order=True,
    ),
    Card(
        "values",
        "people",
        "Predicted lifetime value, by tenths of the people",
        "values",
        "column",
        ("tenth",),
        ("predicted_clv",),
        shown=("people",),
        in_order=True,
    ),
    Card(
        "lifecycle",
        "people",
        "Lifecycle",
        "lifecycle",
        "bar",
        ("lifecycle_stage",),
        ("people",),
        shown=("orders", "revenue"),
    ),
    Card(
        "returns",
        "roi",
        "Return on ad spend by channel",
        "roi",
        "bar",
        ("channel",),
        ("roas",),
        shown=("spend", "conversions", "revenue", "margin"),
        ratios={
            "roas": ("revenue", "spend", "number"),
            "cpa": ("spend", "conversions", "money"),
        },
        note="Months in which a channel has no spend on record are left out: unknown is not "
        "nought. " + NOT_CAUSE,
    ),
    Card(
        "return_models",
        "roi",
        "Return on ad spend by model",
        "roi",
        "dots",
        ("channel", "attribution_model"),
        ("roas",),
        shown=("spend", "revenue"),
        ratios={"roas": ("revenue", "spend", "number")},
    ),
    Card(
        "reallocation",
        "roi",
        "The budget if it followed the credit",
        "reallocation",
        "bar",
        ("channel",),
        ("spend_change",),
        shown=("spend", "proposed_spend"),
        note="The last month's spend, shared out as the credited revenue is. It takes the next "
        "unit of money to work as the average one did: treat it as a question, not as a plan.",
    ),
    Card(
        "accounting",
        "quality",
        "What became of the rows",
        "accounting",
        "bar",
        ("dataset",),
        ("rows_in_files",),
        shown=(
            "files",
            "rows_loaded",
            "rows_quarantined",
            "duplicate_rows",
            "excluded_rows",
            "no_consent_rows",
            "bot_rows",
            "internal_rows",
            "late_rows",
        ),
    ),
    Card(
        "gates",
        "quality",
        "Checks by night",
        "gates",
        "column",
        ("run_id", "outcome"),
        ("checks",),
        in_order=True,
    ),
    Card("failed_checks", "quality", "Checks that failed", "failed_checks", "rows", ()),
    Card("freshness", "quality", "Freshness", "freshness", "rows", ()),
    Card("privacy", "quality", "Privacy: what was done", "privacy_audit_log", "rows", ()),
    Card("schema_changes", "quality", "Changes of columns", "schema_changes", "rows", ()),
    Card(
        "unmatched",
        "quality",
        "Paid touches and deliveries without a campaign",
        "unmatched",
        "bar",
        ("channel",),
        ("without_campaign",),
        shown=("touches",),
        ratios={"unmatched_rate": ("without_campaign", "touches", "percent")},
    ),
)
