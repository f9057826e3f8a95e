"""The named worlds: what is different about how their people respond."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """Parameters of one world; docs/simulated-shop.md has the formulas.

    Attributes:
        description: one line for people.
        effect: factor of every effect on the log hazard.
        half_life_days: days after which half of an exposure is left.
        saturation: exposure at which 63 % of the full effect is reached; in touches.
        synergy: extra log hazard at full exposure to both e-mail personalization and retargeting.
        targeting: 0: personalised messages go to anybody; 1: to those who want to buy anyway.
        targeted_effect: factor of the effects of targeted messages and of paid search.
        heterogeneity: how far segments differ in their response to each tactic; 0: not at all.
        season: amplitude of the seasonal swing of wanting to buy, 0 to 1.
        season_pressure: how far advertising follows the season; 0: not at all, 1: in proportion.
        pressure: factor of the number of advertising contacts.
        retention: share of visits on a known device of a person with an account that are logged in.
        resets_per_day: chance that a device loses its anonymous id on a day.
    """

    description: str
    effect: float = 1.0
    half_life_days: float = 4.0
    saturation: float = 2.0
    synergy: float = 0.0
    targeting: float = 0.3
    targeted_effect: float = 1.0
    heterogeneity: float = 0.5
    season: float = 0.15
    season_pressure: float = 0.0
    pressure: float = 1.0
    retention: float = 0.7
    resets_per_day: float = 0.001


WORLDS: dict[str, World] = {
    "default": World("Moderate effects that fade within days and differ somewhat by segment"),
    "confounded": World(
        "Personalised messages go to those who want to buy anyway, and do little",
        targeting=1.0,
        targeted_effect=0.25,
    ),
    "saturation": World(
        "Three times the advertising, of which the first contact does nearly everything",
        saturation=0.4,
        pressure=3.0,
        effect=0.45,
    ),
    "carry_over": World(
        "Effects that last for weeks", half_life_days=21.0, saturation=4.0, effect=0.8
    ),
    "synergy": World(
        "E-mail personalization and retargeting help each other more than they help alone",
        synergy=2.5,
        targeted_effect=0.6,
    ),
    "heterogeneous": World(
        "Segments respond in opposite ways: what wins one puts another off",
        heterogeneity=1.5,
    ),
    "no_effect": World("No touch changes anything: every credit is a mistake", effect=0.0),
    "seasonal": World(
        "Wanting to buy swings by the season, and advertising follows it",
        season=0.8,
        season_pressure=1.0,
        effect=0.7,
    ),
    "identity_loss": World(
        "Devices lose their ids, and people rarely log in",
        retention=0.25,
        resets_per_day=0.015,
    ),
}
"""Every world by name."""
