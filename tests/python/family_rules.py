"""The rules of the segment families a second time, with the settings of dbt_project.yml."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

Features = dict[str, Any]


def lifecycle(f: Features) -> str:
    since_order, since_first = f["days_since_last_order"], f["days_since_first_seen"]
    if since_order is not None and since_order >= 120:
        return "lapsed"
    if since_order is not None and since_order >= 60:
        return "lapsing"
    if (f["days_between_last_orders"] or 0) >= 120:
        return "reactivated"
    if since_first is None or since_first < 30:
        return "new"
    return "active" if since_order is not None else "prospect"


def score(f: Features) -> int:
    return int(
        50 * min(f["sessions_30d"] / 10, 1)
        + 30 * min(float(f["engagement_seconds_30d"]) / 1800, 1)
        + 20 * min(f["orders_90d"] / 3, 1)
        + 0.5
    )


def within(value: int | None, limit: int) -> bool:
    return value is not None and value < limit


def joined(*parts: str | None) -> str | None:
    return " / ".join(part for part in parts if part is not None) or None


def demographic(f: Features) -> str | None:
    age, income = f["age_from"], f["income_from"]
    group = tier = None
    if age is not None:
        group = "under 35" if age < 35 else "35-54" if age < 55 else "55 and over"
    if income is not None:
        tier = "low" if income < 35000 else "middle" if income < 100000 else "high"
        tier += " income"
    return ", ".join(part for part in (group, f["gender"] or tier) if part) or None


def geographic(f: Features) -> str | None:
    place = joined(f["country"], f["region"])
    return joined(place, f["urbanity"]) if place else None


def life_stage(f: Features) -> str | None:
    if f["age_from"] is None or f["household_size"] is None:
        return None
    age = "young" if f["age_from"] < 35 else "established" if f["age_from"] < 55 else "mature"
    persons = int(f["household_size"].strip("+"))
    return f"{age} {('single', 'couple', 'family')[min(persons, 3) - 1]}"


def device(f: Features) -> str | None:
    kind = f["device_type"]
    return kind if kind in ("desktop", "mobile", "tablet", None) else "other"


def device_behavior(f: Features) -> str | None:
    counts = {k: f[f"visits_{k}_count"] for k in ("desktop", "mobile", "tablet", "other")}
    if not sum(counts.values()):
        return None
    first = max(counts, key=lambda kind: counts[kind])
    return f"{first}_{'only' if counts[first] == sum(counts.values()) else 'first'}"


def contextual(f: Features) -> str:
    part = ("night", "morning", "afternoon", "evening")[f["local_hour"] // 6]
    return f"{'weekend' if f['local_weekday'] > 5 else 'weekday'} {part}"


def season(f: Features) -> str:
    return ("winter", "spring", "summer", "autumn")[f["local_month"] % 12 // 3]


def intent_engagement(f: Features) -> str | None:
    if f["first_seen_at"] is None:
        return None
    return {
        (True, True): "engaged_seeker",
        (True, False): "new_seeker",
        (False, True): "engaged_browser",
        (False, False): "passive",
    }[f["intent_signals_7d"] >= 3, score(f) >= 50]


def funnel_stage(f: Features) -> str:
    month = 30 * 24 * 60
    if within(f["minutes_since_open_checkout"], month):
        return "checkout"
    if within(f["minutes_since_open_cart"], month):
        return "cart"
    if within(f["minutes_since_open_signal"], 7 * 24 * 60):
        return "considering"
    if f["orders_count"]:
        return "customer"
    return "outside" if f["minutes_since_last_visit"] is None else "visitor"


def cart_abandoner(f: Features) -> str:
    cart, checkout = f["minutes_since_open_cart"], f["minutes_since_open_checkout"]
    if not within(cart, 30 * 24 * 60):
        return "no_cart"
    if cart < 60 or within(checkout, 60):
        return "open_cart"
    return "abandoned_checkout" if within(checkout, 30 * 24 * 60) else "abandoned_cart"


def browsing_active(f: Features) -> str | None:
    steps = {"now": 30, "today": 1440, "this_week": 7 * 1440, "this_month": 30 * 1440}
    if f["minutes_since_last_visit"] is None:
        return None
    return next((n for n, s in steps.items() if f["minutes_since_last_visit"] < s), "away")


def ready_to_buy(f: Features) -> str | None:
    is_intent_high = f["intent_signals_7d"] >= 3
    is_cart_open = within(f["minutes_since_open_cart"], 7 * 1440)
    fresh = (f["minutes_since_open_checkout"], f["minutes_since_open_cart"])
    if any(within(minutes, 1440) for minutes in fresh) or (is_cart_open and is_intent_high):
        return "ready"
    if is_cart_open or is_intent_high:
        return "warming"
    return None if f["first_seen_at"] is None else "not_ready"


def price_sensitivity(f: Features) -> str:
    share, coupons = f["discount_share"] or 0, f["orders_with_coupon_count"]
    if f["orders_count"] == 0:
        return "no_order"
    if 2 * coupons >= f["orders_count"]:
        return "coupon_driven"
    if share >= Decimal("0.2"):
        return "discount_seeker"
    is_moved = share >= Decimal("0.05") or coupons or f["offers_redeemed_count"]
    return "occasional_discount" if is_moved else "full_price"


def engagement_level(f: Features) -> str | None:
    if f["first_seen_at"] is None:
        return None
    steps = {"high": 50, "medium": 20, "low": 1}
    return next((name for name, points in steps.items() if score(f) >= points), "none")


def membership(f: Features) -> str:
    if f["days_since_joined"] is None:
        return "not_a_member"
    is_active = within(f["days_since_last_active"], 90) or f["days_since_joined"] < 90
    return "active_member" if is_active else "lapsed_member"


def persona(f: Features) -> str | None:
    """The seed personas as it is in the project."""
    likes = {f["interest"], f["top_category"]} & {"technology", "electronics"}
    share = f["discount_share"]
    if f["age_from"] is not None and 25 <= f["age_from"] < 45 and likes and f["orders_365d"] >= 6:
        return "millennial tech enthusiast"
    if f["household_size"] in ("4", "5", "5+", "6", "6+") and f["orders_90d"] >= 6:
        return "big family shopper"
    if share is not None and share >= Decimal("0.15") and f["orders_count"] >= 3:
        return "deal hunter"
    if share is not None and share < Decimal("0.05") and f["orders_365d"] >= 12:
        return "loyal full-price customer"
    if f["sessions_30d"] >= 5 and f["orders_count"] == 0:
        return "window shopper"
    return None


def rfm(f: Features, limits: dict[str, Any]) -> str:
    if f["orders_count"] == 0:
        return "no_order"

    def fifth(value: Any, letter: str) -> int:
        return 1 + sum(value > limits[f"{letter}_{percent}"] for percent in (20, 40, 60, 80))

    recency = 6 - fifth(f["days_since_last_order"], "r")
    value = fifth(f["orders_365d"], "f") + fifth(f["revenue_365d"], "m")
    if recency >= 4:
        return "champions" if value >= 8 else "potential_loyalists" if value >= 4 else "recent"
    if recency == 3:
        return "loyal" if value >= 8 else "needs_attention" if value >= 4 else "about_to_sleep"
    steps = {"cannot_lose": 8, "at_risk": 6, "hibernating": 4}
    return next((name for name, least in steps.items() if value >= least), "lost")


def value_tier(f: Features, limits: dict[str, Any]) -> str:
    if f["orders_365d"] == 0:
        return "no_order"
    if f["revenue_365d"] > limits["m_80"]:
        return "high"
    return "medium" if f["revenue_365d"] > limits["m_40"] else "low"


RULES: dict[str, Callable[..., str | None]] = {
    rule.__name__: rule
    for rule in (
        lifecycle, demographic, geographic, life_stage, device, device_behavior, contextual, season,
        intent_engagement, funnel_stage, cart_abandoner, browsing_active, ready_to_buy,
        price_sensitivity, engagement_level, membership, persona, rfm, value_tier,
    )
}  # fmt: skip
RULES |= {
    "product_affinity": lambda f: f["top_category"],
    "channel_preference": lambda f: f["top_channel"],
    "psychographic": lambda f: joined(f["interest"], f["value_theme"]),
}
FITTED = {"rfm", "value_tier"}


def label(family: str, features: Features, limits: dict[str, Any]) -> str:
    """The segment of a feature row; `limits` is the one version of ml.rfm_thresholds."""
    fitted = [limits] if family in FITTED else []
    return RULES[family](features, *fitted) or "unclassified"
