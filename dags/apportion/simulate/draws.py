"""Random numbers: one stream per concern, and uniforms that depend on coordinates alone."""

from __future__ import annotations

import numpy as np

CONCERNS = (
    "people",
    "identity",
    "consent",
    "intent",
    "visits",
    "clicked_visits",
    "messages",
    "on_site",
    "hazard",
    "orders",
    "crm",
    "surveys",
    "privacy",
    "spend",
    "defects",
    "pages",
    "bots",
    "ids",
)
"""Names of the streams. Their order is part of what a seed means: add new ones at the end."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Draws:
    """The streams of one seed: what is drawn for one concern does not shift what others draw.

    Args:
        seed: any whole number of at least 0.
    """

    def __init__(self, seed: int):
        children = np.random.SeedSequence(seed).spawn(len(CONCERNS))
        self._sequences = dict(zip(CONCERNS, children, strict=True))

    def stream(self, concern: str) -> np.random.Generator:
        """The concern's generator, at its beginning: ask once, or get the same numbers again."""
        return np.random.Generator(np.random.PCG64DXSM(self._sequences[concern]))

    def key(self, concern: str, purpose: int = 0) -> np.uint64:
        """A key for `uniform` and `scramble`."""
        return self._sequences[concern].generate_state(purpose + 1, np.uint64)[purpose]


def scramble(key: np.uint64, *coordinates: np.ndarray) -> np.ndarray:
    """64 random-looking bits per element; for one coordinate a one-to-one map of it.

    SplitMix64 (Steele, Lea, Flood 2014), once per coordinate.
    """
    bits = np.uint64(key)
    for coordinate in coordinates:
        bits = bits ^ (np.asarray(coordinate).astype(np.uint64) * _GOLDEN)
        bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
        bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
        bits = bits ^ (bits >> np.uint64(31))
    return bits


def uniform(key: np.uint64, *coordinates: np.ndarray) -> np.ndarray:
    """Uniforms in [0, 1) that are the same wherever the same coordinates are asked for."""
    return (scramble(key, *coordinates) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def pick(cumulative: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Index of the class that each uniform falls into.

    Args:
        cumulative: cumulative probabilities, either one row for all (classes) or one per
            uniform (n x classes); the last is taken for 1.
        uniforms: n numbers in [0, 1).
    """
    if cumulative.ndim == 1:
        return np.searchsorted(cumulative[:-1], uniforms, side="right")
    return (uniforms[:, None] >= cumulative[:, :-1]).sum(axis=1)
