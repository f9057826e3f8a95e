"""The datasets that a landing folder may hold: columns, types and rules (the input contract)."""

from __future__ import annotations

from dataclasses import dataclass

SQL_TYPES = {
    "text": "varchar",
    "moment": "timestamp",
    "date": "date",
    "money": "decimal(18,4)",
    "rate": "decimal(28,14)",
    "number": "double",
    "integer": "bigint",
    "flag": "boolean",
    "json": "json",
}
"""SQL type of each kind of column. A rate of exchange needs more decimals than an amount."""

NOUNS = {
    "text": "a text",
    "moment": "a time (ISO 8601, or epoch seconds, milli-, micro- or nanoseconds)",
    "date": "a date (YYYY-MM-DD)",
    "money": "an amount (at most 14 digits before the point)",
    "rate": "a rate",
    "number": "a number",
    "integer": "a whole number",
    "flag": "true or false",
    "json": "JSON",
}
"""What a value of each kind is called in a reason for people."""

CLICK_IDS = (
    "gclid gbraid wbraid dclid srsltid msclkid fbclid ttclid twclid li_fat_id epik sccid rdt_cid "
    "yclid irclickid awc"
)
"""Names of the click ids of ad platforms, which tell whose click it was; see click_ids.sql."""


@dataclass(frozen=True)
class Column:
    """One column of a dataset.

    Attributes:
        name: name in raw.<dataset>.
        kind: key of SQL_TYPES.
        is_required: a row without a value is quarantined.
        is_occurrence: something that has happened then, so a moment before 1970 or later than
            tomorrow is a mistake, and the row is quarantined.
    """

    name: str
    kind: str = "text"
    is_required: bool = False
    is_occurrence: bool = False

    @property
    def sql_type(self) -> str:
        """Type of the column in DuckDB."""
        return SQL_TYPES[self.kind]


@dataclass(frozen=True)
class Dataset:
    """One kind of input file.

    Attributes:
        name: name of the landing subfolder and of the raw table.
        columns: the contract's columns, in its order.
        one_of: columns of which a row needs at least one; empty: no such rule.
        amounts: (JSON column, name in it) of what must be an amount where it is given.
        key: column that is made from the row (md5) where a row has none; empty: none is made.
        is_events: its rows are events of a source system, see macros/events/event_sources.sql.
    """

    name: str
    columns: tuple[Column, ...]
    one_of: tuple[str, ...] = ()
    amounts: tuple[tuple[str, str], ...] = ()
    key: str = ""
    is_events: bool = False

    @property
    def occurrence(self) -> str | None:
        """The column that says when the row happened, for freshness; None where nothing does."""
        return next((column.name for column in self.columns if column.is_occurrence), None)


def _columns(specification: str) -> tuple[Column, ...]:
    """Columns of a text such as 'order_id* ordered_at:moment*! revenue:money*'.

    `*` is required, `!` an occurrence, and without `:kind` it is a text.
    """
    columns = []
    for word in specification.split():
        name, _, kind = word.rstrip("*!").partition(":")
        marks = word[len(word.rstrip("*!")) :]
        columns.append(Column(name, kind or "text", "*" in marks, "!" in marks))
    return tuple(columns)


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "events",
            _columns(
                "event_id event_name* occurred_at:moment*! sent_at:moment received_at:moment "
                "anonymous_id user_id "
                "email phone session_id page_url referrer_url user_agent ip device_type country "
                "region city utm_source utm_medium utm_campaign utm_content utm_term "
                f"click_id {CLICK_IDS} device_id "
                "channel campaign_id ad_id content_id template_id tactic variant_id "
                "is_personalized:flag experiment_id product_id order_id quantity:number "
                "value:money currency is_consented:flag properties:json timezone"
            ),
            key="event_id",
            is_events=True,
        ),
        Dataset(
            "segment",
            _columns(
                "message_id type* event name anonymous_id user_id previous_id group_id "
                "timestamp:moment! original_timestamp:moment sent_at:moment received_at:moment "
                "channel context:json traits:json properties:json"
            ),
            one_of=("timestamp", "original_timestamp", "received_at"),
            # `value` may be anything: what a filter was set to, for one.
            amounts=(("properties", "revenue"), ("properties", "total")),
            key="message_id",
            is_events=True,
        ),
        Dataset(
            "ga4",
            _columns(
                "event_timestamp:moment*! event_name* event_date event_params:json "
                "event_bundle_sequence_id event_server_timestamp_offset:integer user_id "
                "user_pseudo_id user_properties:json privacy_info:json device:json geo:json "
                "traffic_source:json collected_traffic_source:json ecommerce:json items:json "
                "platform stream_id batch_event_index batch_ordering_id batch_page_id"
            ),
            is_events=True,
        ),
        Dataset(
            "orders",
            _columns(
                "order_id* ordered_at:moment*! user_id anonymous_id email revenue:money* currency "
                "discount:money shipping:money tax:money cost:money coupon_code status channel"
            ),
        ),
        Dataset(
            "order_items",
            _columns("order_id* product_id* quantity:number unit_price:money category"),
        ),
        Dataset(
            "refunds",
            _columns("refund_id* order_id* refunded_at:moment*! amount:money* currency"),
        ),
        Dataset("products", _columns("product_id* name category brand price:money")),
        Dataset(
            "contacts",
            _columns(
                "contact_id* email phone user_id first_name last_name birth_date:date age_band "
                "gender country region city postal_code income_band education household_size "
                "language lifecycle_stage created_at:moment updated_at:moment"
            ),
        ),
        Dataset(
            "profile_attributes",
            _columns("user_id email attribute* value* kind source observed_at:moment!"),
            one_of=("user_id", "email"),
        ),
        Dataset(
            "campaigns",
            _columns(
                "campaign_id* name channel tactic is_personalized:flag started_at:moment "
                "ended_at:moment objective eligible_until:moment"
            ),
        ),
        Dataset(
            "ad_spend",
            _columns(
                "date:date*! channel campaign_id content_id spend:money* currency "
                "impressions:integer clicks:integer"
            ),
        ),
        Dataset(
            "offline_conversions",
            _columns(
                "conversion_id* converted_at:moment*! conversion_type* email phone user_id "
                "value:money currency"
            ),
        ),
        Dataset(
            "experiment_assignments",
            _columns(
                "experiment_id* variant_id* user_id anonymous_id assigned_at:moment*! "
                "is_control:flag"
            ),
            one_of=("user_id", "anonymous_id"),
        ),
        Dataset(
            "consents",
            _columns(
                "user_id anonymous_id email purpose* is_granted:flag* changed_at:moment*! "
                "jurisdiction"
            ),
            one_of=("user_id", "anonymous_id", "email"),
        ),
        Dataset(
            "privacy_requests",
            _columns("request_id* requested_at:moment*! kind* user_id anonymous_id email phone"),
            one_of=("user_id", "anonymous_id", "email", "phone"),
        ),
        Dataset(
            "identity_vetoes",
            _columns(
                "first_type* first_value* second_type* second_value* vetoed_at:moment* comment"
            ),
        ),
        Dataset(
            "identity_matches",
            _columns("first_contact_id* second_contact_id* probability:number* matched_at:moment*"),
        ),
        Dataset("exchange_rates", _columns("date:date*! currency* rate_to_usd:rate*")),
    )
}
"""Every dataset of the contract, by name."""
