"""Gates: clean data pass, each planted fault fails its check alone, a failure does what it must."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import yaml
from small_warehouse import RUN_ID, build

from apportion import gates, suites, warehouse
from apportion.errors import ApportionError, GateFailed
from apportion.night import Night
from apportion.settings import Settings

NIGHT_BEFORE = """
insert into raw._batches (
    batch_id, run_id, dataset, status, files_count, rows_loaded, rows_quarantined, created_at
)
select 'old' || i || ':events', 'old', 'events', 'released', 1, 5000, 0, timestamp '2026-01-01'
from range(3) as numbers (i);
insert into ops.quality_results (run_id, stage) values ('old', 'raw');
"""

# The same rows on nine days before, three of them the same day of the week.
HISTORY = """
insert into ops.quality_results (run_id, stage) values ('h', 'raw');
create temp table days_before as
select unnest([1, 2, 3, 4, 5, 6, 7, 14, 21]) as days;
insert into raw._batches (
    batch_id, run_id, dataset, status, files_count, rows_loaded, rows_quarantined, created_at
)
select 'h' || days || ':' || dataset, 'h', dataset, 'released', 1, 120, 0, timestamp '2026-01-01'
from days_before
cross join (values ('events'), ('orders'), ('contacts')) as datasets (dataset);
insert into raw.events
select events.* replace (
    'h' || days || event_id as event_id, occurred_at - to_days(days) as occurred_at,
    'h' || days || ':events' as _batch_id
)
from raw.events cross join days_before;
insert into raw.orders
select orders.* replace (
    chr(96 + days::int) || substr(order_id, 2) as order_id,
    ordered_at - to_days(days) as ordered_at, 'h' || days || ':orders' as _batch_id
)
from raw.orders cross join days_before;
insert into raw.contacts
select contacts.* replace ('h' || days || ':contacts' as _batch_id)
from raw.contacts cross join days_before;
"""
TONIGHT = f"_batch_id like '{RUN_ID}:%'"
# What tonight's rows become, and the check that compares them with their history.
DRIFTS = [
    ("insert into raw.events select copied.* replace ('x' || n || event_id as event_id)"
     " from raw.events as copied, range(2) as copies (n) where {tonight}",
     {"event_drift.weekday_volume_ratio"}),
    ("update raw.events set event_id = 'h1' || event_id where _row_number < 40 and {tonight}",
     {"event_drift.repeated_share"}),
    ("update raw.events set user_id = 'u1' where _row_number < 40 and {tonight}",
     {"event_drift.top_source_share"}),
    ("update raw.events set user_id = null where _row_number < 40 and {tonight}",
     {"event_drift.fill_jump"}),
    ("update raw.events set is_consented = not {tonight}", {"event_drift.granted_jump"}),
    ("update raw.events set user_id = user_id || '0' where {tonight}",
     {"event_drift.id_length_change"}),
    ("update raw.events set value = case when {tonight} then 100 else 1 end",
     {"event_drift.value_ratio"}),
    ("update raw.events set occurred_at = occurred_at + interval 5 days"
     " where _row_number = 1 and {tonight}", {"event_drift.days_ahead"}),
    ("update raw.events set event_name = 'other' where _row_number < 60 and {tonight}",
     {"event_drift.event_name_psi"}),
    ("update raw.events set channel = 'other' where _row_number < 60 and {tonight}",
     {"event_drift.channel_psi"}),
    ("update raw.events set occurred_at = occurred_at - interval 12 hours where {tonight}",
     {"event_drift.time_of_day_psi"}),
    ("update raw.events set currency = 'USD'; update raw.events set currency = 'EUR'"
        " where _row_number < 60 and {tonight}",
     {"event_drift.currency_psi"}),
    ("update raw.events set device_type = 'tv', country = 'AT'; update raw.events"
     " set country = 'SG' where _row_number < 60 and {tonight}", {"event_drift.audience_psi"}),
    ("delete from raw.orders where _row_number % 3 > 0 and {tonight}",
     {"order_drift.weekday_volume_ratio", "order_items.orphaned_share"}),
    ("update raw.orders set order_id = 'a' || substr(order_id, 2)"
     " where _row_number < 70 and {tonight};"
     " update raw.order_items set order_id = 'a' || substr(order_id, 2)",
     {"order_drift.repeated_share"}),
    ("update raw.orders set revenue = revenue * 4 where {tonight}", {"order_drift.amount_ratio"}),
    ("update raw.orders set revenue = revenue / 4 where {tonight}",
     {"order_drift.smallest_amount_ratio"}),
    ("update raw.orders set revenue = revenue * 30 where {tonight}",
     {"order_drift.amount_ratio", "order_drift.overall_amount_ratio"}),
    ("update raw.orders set discount = 1 where _row_number < 60 and {tonight}",
     {"order_drift.fill_jump"}),
    ("update raw.orders set order_id = order_id || '0' where {tonight};"
     " update raw.order_items set order_id = order_id || '0'",
     {"order_drift.id_length_change"}),
    ("update raw.orders set ordered_at = ordered_at + interval 5 days"
     " where _row_number = 1 and {tonight}", {"order_drift.days_ahead"}),
    ("update raw.orders set currency = 'USD'; update raw.orders set currency = 'EUR'"
     " where _row_number < 60 and {tonight}", {"order_drift.currency_jump"}),
    ("update raw.orders set status = 'paid'; update raw.orders set status = 'cancelled'"
     " where _row_number < 60 and {tonight}", {"order_drift.kind_jump"}),
    ("update raw.contacts set email = null where {tonight}", {"drift.times_the_limit"}),
]  # fmt: skip
FIVE_NIGHTS = """
insert into raw._batches (
    batch_id, run_id, dataset, status, files_count, rows_loaded, rows_quarantined, created_at
)
select 'n' || i || ':refunds', 'n' || i, 'refunds', 'released', 1, 5, 0, timestamp '2026-01-01'
from range(5) as numbers (i);
insert into ops.quality_results (run_id, stage) select 'n' || i, 'raw' from range(5) as numbers (i);
insert into ops.source_freshness
select
    'n' || i, 'refunds', null, null, 5, 'updated', timestamp '2026-01-01' + to_days(i::int), 0
from range(5) as numbers (i);
"""

# stage, SQL that plants a fault, the checks that must fail (suite.column)
FAULTS = [
    (
        "raw",
        "update raw._files set rows_loaded = 20, rows_quarantined = 100 where dataset = 'events'",
        {"batches.quarantined_share_of_many", "batches.quarantined_share"},
    ),
    (
        "raw",
        "update raw._files set rows_loaded = 115, rows_quarantined = 5 where dataset = 'events'",
        {"batches.quarantined_share"},
    ),
    ("raw", NIGHT_BEFORE, {"batches.volume_ratio"}),
    (
        "raw",
        "update ops.source_freshness set days_overdue = 0.5 where dataset = 'orders'",
        {"freshness.days_overdue"},
    ),
    (
        "raw",
        "update raw.events set event_id = null where event_id = 'e1'",
        {"events.events_without_id"},
    ),
    (
        "raw",
        "update raw.events set user_id = null where _row_number < 70",
        {"events.nameless_share"},
    ),
    ("raw", "update raw.orders set user_id = null", {"orders.nameless_share"}),
    ("raw", "update raw.orders set revenue = 0", {"orders.free_share"}),
    (
        "raw",
        "update raw.orders set revenue = -1 where order_id = 'o1'",
        {"orders.negative_orders"},
    ),
    ("raw", "update raw.contacts set user_id = null, email = null", {"contacts.nameless_share"}),
    (
        "raw",
        "update raw.order_items set order_id = 'x' where _row_number < 10",
        {"order_items.orphaned_share"},
    ),
    (
        "raw",
        """
        insert into raw._files
        select * replace (0 as file_seq, 'events/old.csv' as path, 'old' as batch_id)
        from raw._files where dataset = 'events';
        insert into raw._file_columns
        select file_seq, 1, case when file_seq = 0 then 'old' else 'new' end, 'extra', 'text'
        from raw._files where dataset = 'events';
        """,
        {"columns.changed_columns"},
    ),
    *(("raw", HISTORY + sql.replace("{tonight}", TONIGHT), checks) for sql, checks in DRIFTS),
    ("raw", FIVE_NIGHTS, {"sources.missing_nights"}),
    (
        "staging",
        "delete from raw.events where event_id = 'e1'",
        {"accounting.unaccounted_rows"},
    ),
    (
        "staging",
        "create or replace view staging.stg_landing__orders as "
        "select * from raw.orders where order_id <> 'o1'",
        {"accounting.unstaged_rows"},
    ),
    (
        "staging",
        "update raw.events set event_id = null where event_id = 'e1'",
        {"ids.events_without_id"},
    ),
    (
        "staging",
        "update raw.events set occurred_at = null where event_id = 'e1'",
        {"ids.events_without_time"},
    ),
    (
        "staging",
        "update raw.orders set order_id = null where order_id = 'o1'",
        {"ids.orders_without_id"},
    ),
    (
        "staging",
        "update raw.orders set revenue = null where order_id = 'o1'",
        {"ids.orders_without_value"},
    ),
    (
        "intermediate",
        "delete from {events} where event_id = 'e1'",
        {"events.unaccounted_rows"},
    ),
    (
        "intermediate",
        "update {events} set duplicates_count = 1 where event_id = 'e1'",
        {"events.unaccounted_rows"},
    ),
    (
        "intermediate",
        "update {events} set occurred_at = null where event_id = 'e1'",
        {"events.events_without_time"},
    ),
    (
        "intermediate",
        "update {events} set event_name = null where event_id = 'e1'",
        {"events.events_without_name"},
    ),
    (
        "intermediate",
        "update {events} set user_key = null where user_key < 'person3'",
        {"events.nameless_share"},
    ),
    (
        "intermediate",
        "update {events} set exclusion_reason = 'bot' where user_key <> 'person1'",
        {"events.excluded_share"},
    ),
    (
        "intermediate",
        "insert into {identifiers} select * replace ('person2' as user_key) from {identifiers} "
        "where identifier_value = 'u1'",
        {"identity.shared_identifiers"},
    ),
    (
        "intermediate",
        "update {identifiers} set identifier_hash = null where identifier_value = 'u1'",
        {"identity.identifiers_without_key"},
    ),
    (
        "intermediate",
        "insert into {identifiers} select 'anonymous_id', 'a' || i, md5('a' || i), 'person1' "
        "from range(300) as numbers (i)",
        {"identity.largest_cluster"},
    ),
    (
        "intermediate",
        "update intermediate.int_identity__cut set reason = 'too many identifiers'",
        {"identity.cut_people"},
    ),
    (
        "intermediate",
        "update {sessions} set ended_at = started_at - interval 1 second where session_id = 'e1'",
        {"sessions.backward_sessions"},
    ),
    (
        "intermediate",
        "update {sessions} set channel = null where session_id = 'e1'",
        {"sessions.sessions_without_channel"},
    ),
    (
        "intermediate",
        "update {sessions} set ended_at = started_at + interval 2 days where session_id = 'e1'",
        {"sessions.longest_hours"},
    ),
    (
        "intermediate",
        "update {touchpoints} set tactic = null where touchpoint_id = 't1'",
        {"touchpoints.touchpoints_without_tactic"},
    ),
    (
        "intermediate",
        "update {touchpoints} set channel = null where touchpoint_id = 't1'",
        {"touchpoints.touchpoints_without_channel"},
    ),
    (
        "intermediate",
        "update {touchpoints} set touched_at = timestamp '2026-01-31' where touchpoint_id = 't1'",
        {"touchpoints.touchpoints_not_yet"},
    ),
    (
        "intermediate",
        "update {touchpoints} set base_weight = -1 where touchpoint_id = 't1'",
        {"touchpoints.touchpoints_without_weight"},
    ),
    (
        "intermediate",
        "update {touchpoints} set channel = 'email' where touched_at > timestamp '2026-01-20'",
        {"channel_shares.share_jump"},
    ),
    (
        "intermediate",
        "update {conversions} set revenue = null where conversion_id = 'o1'",
        {"conversions.conversions_without_value"},
    ),
    (
        "intermediate",
        "update {conversions} set revenue = -1 where conversion_id = 'o1'",
        {"conversions.negative_revenue"},
    ),
    (
        "intermediate",
        "insert into intermediate.int_conversions__without_rate values ('order', 'o1')",
        {"conversions.conversions_without_rate"},
    ),
    (
        "intermediate",
        "update {conversions} set converted_at = timestamp '2026-01-31' where conversion_id = 'o1'",
        {"conversions.conversions_not_yet"},
    ),
    (
        "intermediate",
        "insert into {conversions} from {conversions} where conversion_id = 'o1'",
        {"conversions.doubled_conversions", "journeys.conversions_without_journey"},
    ),
    (
        "intermediate",
        "update {conversions} set previous_converted_at = timestamp '2026-01-31' "
        "where conversion_id = 'o1'",
        {"conversions.conversions_before_previous"},
    ),
    (
        "intermediate",
        "update {journey_touches} set touch_number = 1 where touchpoint_id = 't2'",
        {"journeys.broken_orders"},
    ),
    (
        "intermediate",
        "update {journey_touches} set touch_number = touch_number + 1 where journey_id = 'o1'",
        {"journeys.broken_orders"},
    ),
    (
        "intermediate",
        "update {journey_touches} set touched_at = converted_at + interval 1 microsecond "
        "where touchpoint_id = 't2'",
        {"journeys.touched_after_conversion"},
    ),
    (
        "intermediate",
        "update {journey_touches} set conversion_id = null where touchpoint_id = 't2'",
        {"journeys.unclear_outcomes"},
    ),
    (
        "intermediate",
        "delete from {journeys} where journey_id = 'o1'",
        {"journeys.conversions_without_journey"},
    ),
    (
        "marts",
        "update {credits} set credit = credit + 1e-8 "
        "where attribution_model = 'linear' and touchpoint_id = 't3'",
        {"credits.credit_gap"},
    ),
    (
        "marts",
        "delete from {credits} where conversion_id = 'o1' and attribution_scope = 'personalized' "
        "and attribution_model = 'linear';"
        "update {credits} set credited_revenue = credited_revenue * 120 / 119, "
        "credited_clv = credited_clv * 1200 / 1100 "
        "where attribution_scope = 'personalized' and attribution_model = 'linear';"
        "update marts.attribution_by_channel set conversions = 119 "
        "where attribution_scope = 'personalized' and attribution_model = 'linear'",
        {"credits.conversion_gap"},
    ),
    (
        "marts",
        "update {credits} set credited_revenue = credited_revenue + 0.01 where {last_touch_of_o1};"
        "update marts.attribution_by_channel set revenue = revenue + 0.01 "
        "where attribution_model = 'last_touch' and channel = 'display'",
        {"credits.revenue_gap"},
    ),
    (
        "marts",
        "update {credits} set credited_clv = credited_clv + 0.01 where {last_touch_of_o1}",
        {"credits.clv_gap"},
    ),
    (
        "marts",
        "update {credits} set channel = null where {last_touch_of_o1}",
        {"credits.rows_without_channel"},
    ),
    (
        "marts",
        "update {credits} set credit = case when credit = 1 then 1.5 else -0.5 end "
        "where attribution_model = 'last_touch' and conversion_id = 'o1' "
        "and attribution_scope = 'all'",
        {"credits.impossible_credits"},
    ),
    (
        "marts",
        "update {conversions} set revenue = revenue + 0.01 where conversion_id = 'o1'",
        {"revenue.conversion_revenue_gap"},
    ),
    (
        "marts",
        "update marts.attribution_by_channel set conversions = conversions + 1e-3 "
        "where channel = 'email'",
        {"revenue.channel_conversions_gap"},
    ),
    (
        "marts",
        "update marts.attribution_by_channel set revenue = revenue + 0.01 where channel = 'email'",
        {"revenue.channel_revenue_gap"},
    ),
    (
        "marts",
        "insert into marts.user_profiles from marts.user_profiles where user_key = 'person1'",
        {"profiles.doubled_profiles"},
    ),
    (
        "marts",
        "insert into marts.user_profiles values (null, 'AT', 0)",
        {"profiles.profiles_without_key", "profiles.doubled_profiles"},
    ),
    (
        "marts",
        "delete from marts.user_profiles where user_key = 'person1'",
        {"profiles.people_without_profile"},
    ),
    (
        "marts",
        "update marts.touchpoints set channel = null where touchpoint_id = 't1'",
        {"channels.touchpoints_without_channel"},
    ),
    (
        "marts",
        "update marts.sessions set channel = null where session_id = 'e1'",
        {"channels.sessions_without_channel"},
    ),
    (
        "marts",
        "update marts.touchpoints set channel = 'unclassified' where channel = 'email'",
        {"channels.unclassified_share"},
    ),
    *(
        (
            "marts",
            f"update marts.user_profiles set country = '{text}' where user_key = 'person1'",
            {"personal_data.clear_identifiers"},
        )
        for text in (
            "jane.doe@example.org",
            "https://example.org/?mail=jane@example.org",
            "+43 664 1234567",
            "(212) 555-0142",
            "212-555-0142",
            "06641555",  # a phone number that the identity tables know
        )
    ),
    (
        "marts",
        "insert into {identifiers} values ('device_id', '0123456789abcdef', 'hash', 'person1');"
        "update marts.user_profiles set country = '0123456789abcdef' where user_key = 'person1'",
        {"personal_data.clear_identifiers"},
    ),
    (
        "marts",
        "update marts.user_profiles set country = md5('u1') where user_key = 'person1'",
        {"personal_data.hashes_of_identifiers"},
    ),
    (
        "marts",
        "update marts.segment_memberships set segment = 'DE' where user_key = 'person1';"
        "update marts.attribution_by_segment set segment = 'DE' where channel = 'email'",
        {"segments.small_segments"},
    ),
    (
        "marts",
        "insert into marts.segment_memberships values ('person1', 'geographic', 'DE', true)",
        {"segments.doubled_memberships"},
    ),
    (
        "marts",
        "update marts.segment_quality set psi = 0.3",
        {"segment_quality.largest_psi"},
    ),
    (
        "marts",
        "update marts.segment_quality set is_over_segmented = true",
        {"segment_quality.over_segmented"},
    ),
]
NAMES = {
    "events": "intermediate.int_events__deduplicated",
    "identifiers": "intermediate.int_identity__identifiers",
    "sessions": "intermediate.int_sessions__sessionized",
    "touchpoints": "intermediate.int_touchpoints__collapsed",
    "conversions": "intermediate.int_conversions__valued",
    "journeys": "intermediate.int_journeys__journeys",
    "journey_touches": "intermediate.int_journeys__touchpoints",
    "credits": "marts.attribution_credits",
    "last_touch_of_o1": "attribution_model = 'last_touch' and attribution_scope = 'all' "
    "and conversion_id = 'o1' and credit = 1",
}


def planted(sql: str) -> str:
    for name, text in NAMES.items():
        sql = sql.replace(f"{{{name}}}", text)
    return sql


def short(check: str) -> str:
    return ".".join(check.split(".")[:2])


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build(tmp_path_factory.mktemp("clean") / "data")


@pytest.fixture
def small(clean: Settings, tmp_path: Path) -> Settings:
    """A copy to break."""
    shutil.copytree(clean.data, tmp_path / "data")
    return Settings(tmp_path / "data", tmp_path / "data" / "landing")


def plant(settings: Settings, sql: str) -> None:
    with warehouse.connect(settings.warehouse) as connection:
        connection.execute(planted(sql))


def verdicts(settings: Settings, stage: str) -> list[gates.Verdict]:
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        if stage == "raw":
            gates._batches_to_judge(connection, RUN_ID)
        return gates.judge(connection, suites.load(stage, suites.variables(settings)))[0]


def recorded(settings: Settings, query: str) -> list[tuple]:
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("stage", suites.STAGES)
def test_clean_data_pass(small: Settings, stage: str) -> None:
    said = gates.gate(Night(small, RUN_ID), stage)
    judged = verdicts(small, stage)
    assert [verdict for verdict in judged if not verdict.success] == []
    assert said == f"gate {stage}: {len(judged)} of {len(judged)} checks passed"


def test_a_night_like_those_before_passes(small: Settings) -> None:
    plant(small, HISTORY)
    assert [verdict for verdict in verdicts(small, "raw") if not verdict.success] == []


@pytest.mark.parametrize(
    ("stage", "sql", "checks"), FAULTS, ids=[f"{fault[0]}-{min(fault[2])}" for fault in FAULTS]
)
def test_a_planted_fault_fails_its_check_alone(
    small: Settings, stage: str, sql: str, checks: set[str]
) -> None:
    plant(small, sql)
    failed = [verdict for verdict in verdicts(small, stage) if not verdict.success]
    assert {short(verdict.check) for verdict in failed} == checks, failed
    assert not any("could not be judged" in verdict.observed for verdict in failed)


def test_every_check_has_been_seen_to_fail(clean: Settings) -> None:
    seen = {(stage, check) for stage, _, checks in FAULTS for check in checks}
    every = {
        (stage, short(expectation.check))
        for stage in suites.STAGES
        for suite in suites.load(stage, suites.variables(clean))
        for expectation in suite.expectations
    }
    assert every == seen


def test_checks_have_a_type_a_severity_a_reason_and_one_name(clean: Settings) -> None:
    for stage in suites.STAGES:
        checks = []
        for suite in suites.load(stage, suites.variables(clean)):
            assert suite.expectations
            for expectation in suite.expectations:
                assert expectation.type.startswith("expect_")
                assert expectation.severity in ("critical", "warning")
                assert len(expectation.notes.split()) >= 8
                checks.append(expectation.check)
        assert len(set(checks)) == len(checks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda suite: suite.pop("query"), "either table or query"),
        (lambda suite: suite.update(table="marts.a"), "either table or query"),
        (lambda suite: suite.update(tabel="marts.a"), "keys"),
        (lambda suite: suite.update(expectations=[]), "no expectations"),
        (lambda suite: suite["expectations"][0].pop("notes"), "keys"),
        (lambda suite: suite["expectations"][0].update(notes=" "), "notes"),
        (lambda suite: suite["expectations"][0].update(severity="info"), "severity"),
        (lambda suite: suite["expectations"][0]["kwargs"].pop("column"), "names a column"),
        (lambda suite: suite["expectations"][0]["kwargs"].update(max_value="1e-9"), "number"),
        (lambda suite: suite.update(query="select ${nothing} as n"), "no var"),
        (lambda suite: suite["expectations"].append(suite["expectations"][0]), "same column"),
    ],
)
def test_a_wrong_suite_stops_with_its_path(tmp_path: Path, change, message: str) -> None:
    suite = {
        "query": "select 1 as n",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "n", "max_value": 1},
                "severity": "critical",
                "notes": "a reason",
            }
        ],
    }
    (tmp_path / "marts").mkdir()
    path = tmp_path / "marts" / "a.yml"
    path.write_text(yaml.safe_dump(suite))
    assert len(suites.load("marts", {}, tmp_path)) == 1
    change(suite)
    path.write_text(yaml.safe_dump(suite))
    with pytest.raises(ApportionError, match=message) as raised:
        suites.load("marts", {}, tmp_path)
    assert str(path) in raised.value.what


def test_a_stage_without_suites_is_not_let_through(tmp_path: Path) -> None:
    with pytest.raises(ApportionError, match="holds no suite"):
        suites.load("marts", {}, tmp_path)


@pytest.mark.parametrize("stage", ["staging", "intermediate", "marts"])
def test_a_critical_failure_stops_the_night_and_says_why(small: Settings, stage: str) -> None:
    sql, checks = next((sql, checks) for s, sql, checks in FAULTS if s == stage and "delete" in sql)
    plant(small, sql)
    with pytest.raises(GateFailed) as raised:
        gates.gate(Night(small, RUN_ID), stage)
    assert raised.value.exit_status == 3
    failed = recorded(
        small,
        'select "check", severity, observed, reason, run_id, stage from ops.quality_results '
        "where not success",
    )
    assert {short(row[0]) for row in failed} == checks
    for check, severity, observed, reason, run_id, failed_stage in failed:
        assert (severity, run_id, failed_stage) == ("critical", RUN_ID, stage)
        assert check in raised.value.what
        assert observed in raised.value.what
        assert reason in raised.value.what
    assert "apportion run" in raised.value.next_step


def test_a_warning_is_told_and_the_night_goes_on(small: Settings) -> None:
    plant(small, "update {conversions} set revenue = -1 where conversion_id = 'o1'")
    said = gates.gate(Night(small, RUN_ID), "intermediate")
    assert "warning: conversions.negative_revenue" in said
    assert "negative_revenue = 1" in said


def test_a_critical_failure_in_raw_holds_that_batch_alone(small: Settings) -> None:
    plant(small, "update raw.orders set revenue = 0")
    said = gates.gate(Night(small, RUN_ID), "raw")
    assert "HELD: 1 of 4 judged batches, of orders" in said
    batches = "select dataset, status from raw._batches order by dataset"
    assert dict(recorded(small, batches)) == {
        "contacts": "released",
        "events": "released",
        "order_items": "released",
        "orders": "held",
    }
    assert recorded(small, "select count(*) from staging.stg_landing__orders") == [(0,)]
    assert recorded(small, "select reason from raw._batches where status = 'held'")[0][0]
    # The next night judges it again, and lets it go when it is as expected.
    plant(small, "update raw.orders set revenue = 5")
    assert "HELD" not in gates.gate(Night(small, "20260201T020000Z"), "raw")
    assert set(dict(recorded(small, batches)).values()) == {"released"}


def test_batches_of_a_run_that_was_killed_before_its_gate_are_judged(small: Settings) -> None:
    plant(small, "update raw.orders set revenue = 0")
    gates.gate(Night(small, "20260201T020000Z"), "raw")
    held = recorded(small, "select dataset from raw._batches where status = 'held'")
    assert held == [("orders",)]


def test_batches_that_were_judged_are_not_judged_again(small: Settings) -> None:
    gates.gate(Night(small, RUN_ID), "raw")
    plant(small, "update raw.orders set revenue = 0")
    said = gates.gate(Night(small, "20260201T020000Z"), "raw")
    assert "HELD" not in said


def test_many_failing_batches_are_all_held(small: Settings) -> None:
    plant(
        small,
        f"""
        insert into raw._batches (
            batch_id, run_id, dataset, status, files_count, rows_loaded, rows_quarantined,
            created_at
        )
        select 'b' || i, '{RUN_ID}', 'events', 'released', 1, 1, 0, now() from range(300) as n (i);
        insert into raw.events (_batch_id) select 'b' || i from range(300) as n (i);
        """,
    )
    gates.gate(Night(small, RUN_ID), "raw")
    held = "select count(*) from raw._batches where status = 'held'"
    assert recorded(small, held) == [(300,)]


def test_what_cannot_be_judged_is_a_critical_failure(small: Settings) -> None:
    plant(small, "drop table marts.touchpoints")
    with pytest.raises(GateFailed, match=r"could not be judged: .*touchpoints"):
        gates.gate(Night(small, RUN_ID), "marts")
    unjudged = recorded(
        small,
        "select severity from ops.quality_results "
        "where observed like 'could not be judged%' and \"check\" like 'channels.%'",
    )
    # The warning among them too: what nobody could see is not let through.
    assert unjudged == [("critical",)] * 3


def test_in_raw_what_cannot_be_judged_holds_all_that_it_would_have_judged(small: Settings) -> None:
    plant(small, "alter table raw.orders drop column revenue")
    assert "HELD: 1 of 4" in gates.gate(Night(small, RUN_ID), "raw")
    plant(small, "drop table ops.source_freshness")
    assert "HELD: 4 of 4" in gates.gate(Night(small, RUN_ID), "raw")


def suite(tmp_path: Path, content: dict) -> suites.Suite:
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts" / "a.yml").write_text(yaml.safe_dump(content))
    return suites.load("marts", {}, tmp_path)[0]


def expectation(type_: str, **kwargs: object) -> dict:
    return {"type": type_, "kwargs": kwargs, "severity": "warning", "notes": "a reason"}


@pytest.mark.parametrize(
    ("query", "key", "success"),
    [
        ("select 1 as n", [], True),
        ("select 2 as n", [], False),
        ("select null::bigint as n", [], False),
        ("select 1 as n where false", [], False),
        ("select unnest([1, 1]) as n", [], False),
        ("select 1 as n, 'a' as k where false", ["k"], True),
        ("select unnest([1, null]) as n, 'a' as k", ["k"], False),
        ("select 1 as n, 'a' as other", ["k"], False),
        ("select 1 / 0 as", [], False),
        ("select 1 as other", [], False),
    ],
)
def test_a_query_is_judged_by_its_rows_and_a_null_is_no_answer(
    tmp_path: Path, query: str, key: list[str], success: bool
) -> None:
    content = {
        "query": query,
        "key": key,
        "expectations": [
            expectation("expect_column_values_to_be_between", column="n", max_value=1)
        ],
    }
    with warehouse.connect(":memory:") as connection:
        (verdict,), _ = gates.judge(connection, [suite(tmp_path, content)])
    assert verdict.success is success, verdict


@pytest.mark.parametrize(
    ("given", "success"),
    [
        (expectation("expect_column_values_to_not_be_null", column="id"), True),
        (expectation("expect_column_values_to_not_be_null", column="name"), False),
        (expectation("expect_column_values_to_be_unique", column="id"), True),
        (expectation("expect_column_values_to_be_unique", column="part"), False),
        (expectation("expect_column_values_to_be_in_set", column="part", value_set=[0, 1]), False),
        (expectation("expect_column_values_to_be_between", column="id", max_value=998), False),
        (
            expectation(
                "expect_column_pair_values_a_to_be_greater_than_b",
                column_A="id",
                column_B="part",
                or_equal=True,
            ),
            True,
        ),
        (expectation("expect_compound_columns_to_be_unique", column_list=["id", "part"]), True),
        (expectation("expect_column_max_to_be_between", column="id", max_value=998), False),
        (expectation("expect_table_row_count_to_be_between", min_value=1000), True),
        (expectation("expect_column_values_to_not_be_null", column="nothing"), False),
        (expectation("expect_no_such_thing", column="id"), False),
        (expectation("expect_column_max_to_be_between", column="empty", max_value=1), False),
    ],
)
def test_expectations_on_a_table_work_on_duckdb(tmp_path: Path, given: dict, success: bool) -> None:
    """Over the plain dialect row-level expectations raise `list index out of range`."""
    with warehouse.connect(":memory:") as connection:
        connection.execute(
            "create schema marts; create table marts.things as select i as id, i % 3 as part, "
            "case when i > 0 then 'x' end as name, null::bigint as empty from range(1000) as n (i)"
        )
        (verdict,), _ = gates.judge(
            connection, [suite(tmp_path, {"table": "marts.things", "expectations": [given]})]
        )
    assert verdict.success is success, verdict
    is_unjudged = "nothing" in str(given) or "no_such" in str(given)
    assert ("could not be judged" in verdict.observed) is is_unjudged
    assert verdict.severity == ("critical" if is_unjudged else "warning")


def test_no_value_of_a_row_is_recorded(tmp_path: Path) -> None:
    given = expectation("expect_column_values_to_be_in_set", column="email", value_set=["a"])
    with warehouse.connect(":memory:") as connection:
        connection.execute(
            "create schema marts; create table marts.people as select 'jane@example.org' as email"
        )
        (verdict,), (page,) = gates.judge(
            connection, [suite(tmp_path, {"table": "marts.people", "expectations": [given]})]
        )
    assert verdict.observed == "1 of 1 rows unexpected"
    assert verdict.observed in page.html and "jane" not in page.html


def test_the_warehouse_is_free_after_a_gate(small: Settings) -> None:
    gates.gate(Night(small, RUN_ID), "staging")
    plant(small, "create table ops.free as select 1 as one")


def test_a_gate_again_replaces_its_results(small: Settings) -> None:
    count = "select count(*) from ops.quality_results"
    gates.gate(Night(small, RUN_ID), "staging")
    first = recorded(small, count)
    gates.gate(Night(small, RUN_ID), "staging")
    assert recorded(small, count) == first


def test_gates_import_nothing_heavy_and_are_quick(small: Settings) -> None:
    import subprocess
    import sys

    code = "import sys, apportion.gates; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    gates.gate(Night(small, RUN_ID), "raw")
    # Time of the processor, so that a busy machine does not fail the test.
    started = time.process_time()
    for stage in suites.STAGES:
        gates.gate(Night(small, RUN_ID), stage)
    assert time.process_time() - started < 7
