"""Customer lifetime value: how often a customer will order again, and for how much.

BG/NBD (Fader, Hardie and Lee 2005, "Counting your customers" the easy way) says how many orders are
to come, Gamma-Gamma (Fader and Hardie 2013, The Gamma-Gamma model of monetary value) what one is
worth. Both are fitted by maximum likelihood. Times are in weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

Array = NDArray[np.float64]
# Customers with a second order that a fit needs at least.
FEWEST_REPEATERS = 20


@dataclass(frozen=True)
class Parameters:
    """What was fitted.

    Attributes:
        r, alpha: gamma distribution of the customers' rates of ordering, per week.
        a, b: beta distribution of the customers' chances to leave after an order.
        p, q, v: Gamma-Gamma distribution of the value of an order, v in the currency.
    """

    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    v: float


def fit(frequency: Array, recency: Array, age: Array, value: Array) -> Parameters | None:
    """Fit both models to customers.

    Args:
        frequency: orders after the first, shape (n,).
        recency: weeks from the first order to the last, shape (n,).
        age: weeks from the first order to now, shape (n,).
        value: mean revenue of the orders after the first, shape (n,); read where there are any.

    Returns:
        None where there is too little to fit, or the search did not end in a maximum.
    """
    repeat = (frequency > 0) & (value > 0)
    if repeat.sum() < FEWEST_REPEATERS:
        return None
    purchases = _maximum(lambda x: _purchase_likelihood(x, frequency, recency, age), 4)
    values = _maximum(lambda x: _value_likelihood(x, frequency[repeat], value[repeat]), 3)
    if purchases is None or values is None:
        return None
    return Parameters(*map(float, (*purchases, *values)))


def expected_orders(
    fitted: Parameters, weeks: float, frequency: Array, recency: Array, age: Array
) -> Array:
    """Orders that each customer is expected to place in the coming weeks, shape (n,)."""
    r, alpha, a, b = fitted.r, fitted.alpha, fitted.a, fitted.b
    shape, ends = r + frequency, alpha + age
    series = hyp2f1(shape, b + frequency, a + b + frequency - 1, weeks / (ends + weeks))
    coming = (a + b + frequency - 1) / (a - 1) * (1 - (ends / (ends + weeks)) ** shape * series)
    left = np.where(
        frequency > 0,
        a / np.maximum(b + frequency - 1, 1e-12) * (ends / (alpha + recency)) ** shape,
        0.0,
    )
    return coming / (1 + left)


def expected_value(fitted: Parameters, frequency: Array, value: Array) -> Array:
    """Revenue of a customer's next order, the currency of `value`, shape (n,)."""
    p, q, v = fitted.p, fitted.q, fitted.v
    return p * (v + frequency * value) / (p * frequency + q - 1)


def _purchase_likelihood(x: Array, frequency: Array, recency: Array, age: Array) -> float:
    r, alpha, a, b = x
    together = (
        gammaln(r + frequency)
        - gammaln(r)
        + r * np.log(alpha)
        + gammaln(a + b)
        + gammaln(b + frequency)
        - gammaln(b)
        - gammaln(a + b + frequency)
    )
    alive = -(r + frequency) * np.log(alpha + age)
    with np.errstate(divide="ignore", invalid="ignore"):
        gone = np.where(
            frequency > 0,
            np.log(a)
            - np.log(np.maximum(b + frequency - 1, 1e-300))
            - (r + frequency) * np.log(alpha + recency),
            -np.inf,
        )
    return float(np.sum(together + np.logaddexp(alive, gone)))


def _value_likelihood(x: Array, frequency: Array, value: Array) -> float:
    p, q, v = x
    return float(
        np.sum(
            gammaln(p * frequency + q)
            - gammaln(p * frequency)
            - gammaln(q)
            + q * np.log(v)
            + (p * frequency - 1) * np.log(value)
            + p * frequency * np.log(frequency)
            - (p * frequency + q) * np.log(v + frequency * value)
        )
    )


def _maximum(likelihood, count: int) -> Array | None:
    """The positive parameters of the greatest likelihood, searched on their logarithms."""

    def loss(logarithms: Array) -> float:
        lost = -likelihood(np.exp(logarithms))
        return lost if np.isfinite(lost) else 1e300

    found = minimize(
        loss,
        np.zeros(count),
        method="Nelder-Mead",
        bounds=[(-10, 10)] * count,
        options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-9, "fatol": 1e-9},
    )
    at_limit = np.any(np.abs(found.x) > 9.99)
    return None if not found.success or at_limit else np.exp(found.x)
