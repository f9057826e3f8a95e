"""Clusters of people: several methods compared, the one to publish chosen, and named in words."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score, log_loss, silhouette_score

from apportion.segments_ml.importance import fill

SEED = 20260131
MOST_CLUSTERS = 12
# Rows that a method needs a sample for: all pairs are looked at.
SILHOUETTE_ROWS = HIERARCHICAL_ROWS = MAP_ROWS = 5_000
DENSITY_ROWS = 20_000
BOOTSTRAPS = 10
# Views of the multi-view clustering; what is in none is external.
VIEWS = {
    "transactional": ("order", "revenue", "discount", "coupon", "offers"),
    "behavioural": ("session", "engagement", "signal", "visit", "active", "cart", "mobile"),
}


@dataclass(frozen=True)
class Scaling:
    """What turns values into the space of the centroids: (value - shift) * factor, unknown 0."""

    shifts: np.ndarray
    factors: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The values (rows x attributes) in the space of the centres."""
        scaled = (values - self.shifts) * self.factors
        return np.where(np.isfinite(scaled), scaled, 0.0)


@dataclass(frozen=True)
class Clustering:
    """One clustering: how it was made, where its centres are, and how good it is.

    Attributes:
        method: kmeans, multi_view_kmeans, hierarchical or hdbscan.
        scaling: of the values; a factor of 0 leaves an attribute out.
        centers: clusters x attributes, in the scaled space.
        silhouette: -1 to 1, on a sample.
        stability: mean adjusted Rand index between it and fits on people drawn with replacement.
        responsiveness: by how much the held-back log-loss of conversion falls with the label.
        smallest: people in the smallest cluster.
        inertia: sum of squared distances to the nearest centre.
    """

    method: str
    scaling: Scaling
    centers: np.ndarray
    silhouette: float | None
    stability: float | None
    responsiveness: float | None
    smallest: int
    inertia: float

    def predict(self, values: np.ndarray) -> np.ndarray:
        """The nearest centre of each row of (unscaled) values; of equally near ones, the first."""
        return _nearest(self.scaling(values), self.centers)


def scaling_of(values: np.ndarray, chosen: np.ndarray) -> Scaling:
    """Z-scores of the chosen columns; constants and the others have factor 0."""
    filled = fill(values)
    spread = filled.std(axis=0)
    factors = np.where(chosen & (spread > 1e-12), 1 / np.where(spread > 1e-12, spread, 1.0), 0.0)
    return Scaling(np.where(factors > 0, filled.mean(axis=0), 0.0), factors)


def compare(
    values: np.ndarray,
    names: list[str],
    chosen: np.ndarray,
    learned: tuple[np.ndarray, np.ndarray],
    held_back: tuple[np.ndarray, np.ndarray],
) -> list[Clustering]:
    """Clusterings by every method; none where fewer than two people differ.

    Args:
        values: people x attributes, unscaled, in an order that makes first rows a sample.
        names: of the attributes.
        chosen: mask of the attributes to cluster by.
        learned: values and 0-or-1 outcomes of past rows, to learn the outcome by label from.
        held_back: the same of later rows, to judge it by.
    """
    scaling = scaling_of(values, chosen)
    scaled = scaling(values)
    distinct = len(np.unique(scaled[:SILHOUETTE_ROWS], axis=0))
    if distinct < 2:
        return []
    centers = _kmeans(scaled, distinct)
    k = len(centers)
    weighted = _multi_view(values, scaling, names, k)
    sample = scaled[:HIERARCHICAL_ROWS]
    ward = AgglomerativeClustering(n_clusters=min(k, len(sample))).fit_predict(sample)
    candidates = [
        ("kmeans", scaling, centers),
        ("multi_view_kmeans", *weighted),
        ("hierarchical", scaling, _means(sample, ward)),
    ]
    dense = scaled[:DENSITY_ROWS]
    if len(dense) >= 10:
        found = HDBSCAN(min_cluster_size=max(5, len(dense) // 50), copy=True).fit_predict(dense)
        if len(np.unique(found[found >= 0])) >= 2:
            candidates.append(("hdbscan", scaling, _means(dense[found >= 0], found[found >= 0])))
    return [_judge(values, *candidate, learned, held_back) for candidate in candidates]


def choose(clusterings: list[Clustering]) -> Clustering:
    """The one to publish: the best mean rank by silhouette, stability and responsiveness.

    Only what was made to be told by the nearest centre can be published.
    """
    candidates = [c for c in clusterings if c.method in ("kmeans", "multi_view_kmeans")]

    def rank(clustering: Clustering) -> tuple[float, str]:
        measures = ("silhouette", "stability", "responsiveness")
        ranks = []
        for measure in measures:
            own = getattr(clustering, measure)
            others = [getattr(c, measure) for c in candidates]
            ranks.append(sum((o or 0) > (own or 0) for o in others))
        return (sum(ranks) / len(ranks), clustering.method)

    return min(candidates, key=rank)


def named(clustering: Clustering, names: list[str]) -> list[str]:
    """A name of each cluster: the two attributes in which its centre is furthest from the mean.

    Names are of words alone and different; a third attribute, then a number, tells equals apart.
    """
    found: list[str] = []
    for number, center in enumerate(clustering.centers):
        order = sorted(range(len(names)), key=lambda i: (-abs(center[i]), names[i]))
        words = [
            f"{'high' if center[i] > 0 else 'low'} {names[i].replace('_', ' ')}"
            for i in order
            if abs(center[i]) > 1e-9
        ]
        name = next(
            (
                ", ".join(words[:count])
                for count in (2, 3)
                if words and ", ".join(words[:count]) not in found
            ),
            f"{', '.join(words[:2]) or 'average'} ({number + 1})",
        )
        found.append(name)
    return found


def on_the_map(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first principal axes of all, and a t-SNE map of a sample.

    Returns:
        Axes (2 x attributes), shares of variance (2), and places of the first rows (rows x 2).
    """
    pca = PCA(n_components=min(2, *scaled.shape), svd_solver="full").fit(scaled[:DENSITY_ROWS])
    sample = scaled[:MAP_ROWS]
    if len(sample) < 10:
        return pca.components_, pca.explained_variance_ratio_, np.zeros((0, 2))
    places = TSNE(
        perplexity=min(30, (len(sample) - 1) / 3), init="pca", random_state=SEED
    ).fit_transform(sample)
    return pca.components_, pca.explained_variance_ratio_, places


def _kmeans(scaled: np.ndarray, distinct: int) -> np.ndarray:
    """Centres for the k of the best silhouette among those around the elbow of the inertia."""
    most = min(MOST_CLUSTERS, distinct, len(scaled) - 1) if len(scaled) > 2 else 1
    fits = {}
    for k in range(2, most + 1):
        fits[k] = KMeans(k, n_init=3, random_state=SEED).fit(scaled)
    if not fits:
        return KMeans(min(2, distinct), n_init=1, random_state=SEED).fit(scaled).cluster_centers_
    ks = sorted(fits)
    inertias = np.array([fits[k].inertia_ for k in ks])
    # The elbow: the point that is furthest below the line between the ends.
    line = np.interp(ks, [ks[0], ks[-1]], [inertias[0], inertias[-1]])
    elbow = ks[int(np.argmax(line - inertias))]
    scores = {k: _silhouette(scaled, fits[k].labels_) or -1 for k in ks if abs(k - elbow) <= 2}
    best = max(scores, key=lambda k: (scores[k], -k))
    return fits[best].cluster_centers_


def _multi_view(
    values: np.ndarray, scaling: Scaling, names: list[str], k: int
) -> tuple[Scaling, np.ndarray]:
    """K-Means in which a view counts by how well it clusters, not by how many attributes it has.

    Each view's attributes share one weight; weights and clusters are found in turns: a view's
    weight is inverse to its share of the scatter within clusters. Weights fold into the factors.
    """
    views = np.array([_view_of(name) for name in names])
    used = scaling.factors > 0
    kinds = sorted(set(views[used]))
    sizes = {kind: max(int((used & (views == kind)).sum()), 1) for kind in kinds}
    weights = {kind: 1.0 / len(kinds) for kind in kinds}
    scaled = scaling(values)
    for _ in range(5):
        factor = np.array(
            [np.sqrt(weights.get(v, 0) / sizes.get(v, 1)) if u else 0.0
             for v, u in zip(views, used, strict=True)]
        )  # fmt: skip
        fit = KMeans(k, n_init=3, random_state=SEED).fit(scaled * factor)
        means = _means(scaled, fit.labels_)
        within = {
            kind: float(((scaled - means[fit.labels_])[:, used & (views == kind)] ** 2).mean())
            for kind in kinds
        }
        inverse = {kind: 1 / max(scatter, 1e-9) for kind, scatter in within.items()}
        weights = {kind: value / sum(inverse.values()) for kind, value in inverse.items()}
    return Scaling(scaling.shifts, scaling.factors * factor), fit.cluster_centers_


def _view_of(name: str) -> str:
    return next(
        (view for view, words in VIEWS.items() if any(word in name for word in words)), "external"
    )


def _judge(
    values: np.ndarray,
    method: str,
    scaling: Scaling,
    centers: np.ndarray,
    learned: tuple[np.ndarray, np.ndarray],
    held_back: tuple[np.ndarray, np.ndarray],
) -> Clustering:
    scaled = scaling(values)
    labels = _nearest(scaled, centers)
    sizes = np.bincount(labels, minlength=len(centers))
    return Clustering(
        method,
        scaling,
        centers,
        _silhouette(scaled, labels),
        _stability(scaled, labels, len(centers)),
        _responsiveness(scaling, centers, learned, held_back),
        int(sizes.min()),
        float(((scaled - centers[labels]) ** 2).sum()),
    )


def _stability(scaled: np.ndarray, labels: np.ndarray, k: int) -> float | None:
    """Mean adjusted Rand index with K-Means fits on people drawn with replacement, on all."""
    if len(scaled) <= k:
        return None
    draw = np.random.default_rng(SEED)
    few = slice(0, DENSITY_ROWS)
    scores = []
    for number in range(BOOTSTRAPS):
        drawn = scaled[few][draw.integers(0, len(scaled[few]), len(scaled[few]))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Fewer distinct people than clusters were drawn.
            fit = KMeans(k, n_init=1, random_state=SEED + number).fit(drawn)
        scores.append(adjusted_rand_score(labels[few], _nearest(scaled[few], fit.cluster_centers_)))
    return float(np.mean(scores))


def _responsiveness(
    scaling: Scaling,
    centers: np.ndarray,
    learned: tuple[np.ndarray, np.ndarray],
    held_back: tuple[np.ndarray, np.ndarray],
) -> float | None:
    """By how much the label lowers the held-back log-loss of conversion, per row."""
    (values, outcome), (later, later_outcome) = learned, held_back
    if not len(later) or len(np.unique(outcome)) < 2:
        return None
    labels = np.eye(len(centers))
    model = LogisticRegression().fit(labels[_nearest(scaling(values), centers)], outcome)
    predicted = model.predict_proba(labels[_nearest(scaling(later), centers)])[:, 1]
    base = np.full(len(later), outcome.mean())
    told = [
        log_loss(later_outcome, np.clip(p, 1e-6, 1 - 1e-6), labels=[0, 1])
        for p in (base, predicted)
    ]
    return float(told[0] - told[1])


def _silhouette(scaled: np.ndarray, labels: np.ndarray) -> float | None:
    few, few_labels = scaled[:SILHOUETTE_ROWS], labels[:SILHOUETTE_ROWS]
    if not 2 <= len(np.unique(few_labels)) < len(few):
        return None
    return float(silhouette_score(few, few_labels))


def _nearest(scaled: np.ndarray, centers: np.ndarray) -> np.ndarray:
    labels = np.empty(len(scaled), np.int64)
    for start in range(0, len(scaled), 65_536):
        rows = scaled[start : start + 65_536]
        distances = ((rows[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)
        labels[start : start + 65_536] = distances.argmin(axis=1)
    return labels


def _means(scaled: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([scaled[labels == label].mean(axis=0) for label in np.unique(labels)])
