"""Clusters and predictions: SQL labels as the library does, nothing leaks, bad input is told."""

from __future__ import annotations

import datetime as dt
import os
from typing import ClassVar

import duckdb
import numpy as np
import pytest
from segments_world import AS_OF, OWN_MODELS, build, copy_project, dbt, random_world
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import make_pipeline

from apportion import fit
from apportion.errors import ApportionError
from apportion.night import Night
from apportion.segments_ml import clusters, importance, matrix, predict, train
from apportion.settings import Settings
from apportion.warehouse import connect

PEOPLE = 150


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A random world, trained on, and labelled by what was learned."""
    folder = tmp_path_factory.mktemp("trained")
    project, data = copy_project(folder), folder / "data"
    build(project, data, random_world(seed=31, people=PEOPLE))
    night = Night(Settings(data=data, landing=data / "landing"))
    kept = dict(predict.ALGORITHMS)
    # The same models with few trees.
    predict.ALGORITHMS.update(
        random_forest=(
            clone(kept["random_forest"][0]).set_params(n_estimators=10),
            {"max_features": [1]},
        ),
        gradient_boosting=(clone(kept["gradient_boosting"][0]).set_params(max_iter=10), {}),
    )
    os.environ[fit.FIRST_TRAINING] = "on"
    said = [fit.score(night), fit.score(night)]
    os.environ[fit.FIRST_TRAINING] = "off"
    said += [train.train(night), train.train(night)]
    predict.ALGORITHMS.update(kept)
    fit.score(night)
    dbt(project, data, "run", "--full-refresh", "--select", *OWN_MODELS[1:])
    return said, night


def rows(night: Night, query: str) -> list[tuple]:
    with connect(night.settings.warehouse, read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_first_night_trains_and_no_later_one(trained):
    (first, second, said, _), _ = trained
    assert said in first
    assert "clusters: version 1" not in second and "scored by version 1" in second


def test_training_twice_gives_the_same(trained):
    (_, _, said, again), night = trained
    assert "scored" in said
    assert again == said
    assert len(rows(night, "from ml.cluster_centroids")) == 1
    models = rows(night, "select segment_family, count(*) from ml.segment_models group by all")
    assert {family for family, _ in models} == set(train.PREDICTED)
    assert all(count == 1 for _, count in models)


def test_sql_finds_the_cluster_that_the_library_predicts(trained):
    """KMeans.predict on every moment, but where the two nearest differ by 1e-9 or less."""
    from sklearn.cluster import KMeans

    _, night = trained
    ((names, shifts, factors, centers, attributes),) = rows(
        night, "select names, shifts, factors, centers, attributes from ml.cluster_centroids"
    )
    with connect(night.settings.warehouse, read_only=True) as connection:
        people, _ = matrix._read(connection, "moment_type in ('touch', 'now', 'order')", "")
        labelled = connection.execute(
            "select user_key, feature_at, segment_cluster"
            " from intermediate.int_segments__labelled_moments where moment_type <> 'snapshot'"
            " union all select user_key, feature_at, segment_cluster"
            " from intermediate.int_segments__labelled_now"
        ).fetchall()
    label_of = {(user, at): label for user, at, label in labelled}
    assert people.names == attributes and len(names) == len(centers) >= 2
    scaled = clusters.Scaling(np.array(shifts), np.array(factors))(people.values)
    library = KMeans(len(centers), n_init=1, init=np.array(centers), max_iter=1).fit(
        np.array(centers)
    )
    library.cluster_centers_ = np.array(centers)
    predicted = library.predict(scaled)
    distances = np.sort(
        np.sqrt(((scaled[:, None, :] - np.array(centers)[None]) ** 2).sum(axis=2)), axis=1
    )
    clear = distances[:, 1] - distances[:, 0] > 1e-9 * distances[:, 1]
    assert clear.sum() > 500
    wrong = [
        (key, at)
        for key, at, number, is_clear in zip(people.keys, people.at, predicted, clear, strict=True)
        if is_clear and label_of[key, at.astype("datetime64[us]").item()] != names[number]
    ]
    assert not wrong
    assert len(set(label_of.values())) == len(names)


@pytest.mark.parametrize("model", ["int_segments__labelled_moments", "int_segments__labelled_now"])
def test_scores_and_versions_are_not_compared_with_every_moment(trained, model):
    """DuckDB has a hash join, or compares one row of a version; else it looks at all pairs."""
    _, night = trained
    (path,) = night.settings.target.glob(f"compiled/**/{model}.sql")
    # As JSON: drawn, a wide plan has shortened names.
    ((_, plan),) = rows(night, f"explain (format json) {path.read_text()}")
    assert plan.count("HASH_JOIN") >= len(train.PREDICTED)
    assert "BLOCKWISE_NL_JOIN" not in plan


def test_a_touch_reads_the_last_score_at_or_before_it(trained):
    _, night = trained
    scores = rows(night, "select segment_family, count(*), min(valid_from) from ml.segment_scores"
                  " group by all order by all")  # fmt: skip
    assert scores and all(at == AS_OF for _, _, at in scores)
    # Before the first score nobody can tell; as of the night everybody who was scored can.
    before = rows(
        night,
        "select distinct segment_conversion_propensity"
        " from intermediate.int_segments__labelled_moments",
    )
    assert before == [("unclassified",)]
    now = rows(
        night,
        "select count(*) filter (segment_conversion_propensity <> scores.segment), count(*)"
        " from intermediate.int_segments__labelled_now as labelled inner join ml.segment_scores"
        " as scores using (user_key) where scores.segment_family = 'conversion_propensity'",
    )
    assert now[0][0] == 0 and now[0][1] == PEOPLE


def test_a_model_file_that_was_not_trained_here_is_not_opened(trained):
    _, night = trained
    path = next((night.settings.data / "models").glob("conversion_propensity-*.joblib"))
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    try:
        with (
            connect(night.settings.warehouse) as connection,
            pytest.raises(ApportionError, match="is not the file that was trained"),
        ):
            train.score(night.settings, connection)
    finally:
        path.write_bytes(content)


def planted(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    outcome = draw.integers(0, 2, count).astype(float)
    return draw.normal(size=(count, 3)) + outcome[:, None] * 0.5, outcome


def test_a_planted_leak_is_found():
    values, outcome = planted()
    names = ["a", "b", "c"]
    predict.guard(values, names, outcome)
    leaking = np.column_stack([values, outcome * 2 + values[:, 0] * 1e-3])
    with pytest.raises(predict.LeakFound, match="later_orders alone tells"):
        predict.guard(leaking, [*names, "later_orders"], outcome)
    # Also where it is known of those only who did.
    known = np.column_stack([values, np.where(outcome > 0, 1.0, np.nan)])
    with pytest.raises(predict.LeakFound, match="refund alone tells"):
        predict.guard(known, [*names, "refund"], outcome)
    # One row that knows of an order of the day after.
    later = np.column_stack(
        [values, np.arange(len(outcome)) % 50 - (np.arange(len(outcome)) == 7) * 8]
    )
    with pytest.raises(predict.LeakFound, match="days_since_last_order is below 0"):
        predict.guard(later, [*names, "days_since_last_order"], outcome)


def test_the_split_is_by_time():
    at = np.array(["2026-01-01", "2026-02-01", "2026-03-01"], "datetime64[s]").repeat(2)
    learned, held_back = matrix.last_snapshot(at, 28)
    assert learned.tolist() == [True] * 4 + [False] * 2
    assert held_back.tolist() == [False] * 4 + [True] * 2
    # 56 days from February reach beyond the first of March.
    assert matrix.last_snapshot(at, 56)[0].tolist() == [True] * 2 + [False] * 4
    for nothing in (at[:0], at[:2]):
        learned, held_back = matrix.last_snapshot(nothing, 28)
        assert not learned.any() and not held_back.any()


def test_what_does_not_differ_is_left_out():
    values = np.column_stack([np.full(50, np.nan), np.full(50, 7.0), np.arange(50.0)])
    assert importance.usable(values).tolist() == [False, False, True]
    nobody = (np.empty((0, 3)), np.empty(0))
    found = clusters.compare(values, ["a", "b", "c"], importance.usable(values), nobody, nobody)
    best = clusters.choose(found)
    assert np.isfinite(best.centers).all() and best.scaling.factors[:2].tolist() == [0, 0]
    names = clusters.named(best, ["a", "b", "c"])
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("people", [1, 2])
def test_one_person_and_two(people):
    nobody = (np.empty((0, 2)), np.empty(0))
    values = np.arange(2.0 * people).reshape(people, 2)
    found = clusters.compare(values, ["a", "b"], importance.usable(values), nobody, nobody)
    assert len(found) == (0 if people == 1 else 3)


def test_an_attribute_that_says_the_same_is_redundant():
    values, outcome = planted(2000)
    values = np.column_stack([values, np.exp(values[:, 0])])
    found = importance.measure(values, ["a", "b", "c", "exp_a"], outcome)
    redundant = {one.attribute: one.redundant_with for one in found if one.redundant_with}
    assert len(redundant) == 1 and {*redundant, *redundant.values()} == {"a", "exp_a"}
    assert {one.test for one in found} == {
        "chi_squared", "anova", "pearson", "spearman", "mutual_information"
    }  # fmt: skip
    assert not {one.attribute for one in found if one.redundant_with} & set(
        importance.selected(found, ["a", "b", "c", "exp_a"])
    )


def test_moments_have_no_zone():
    assert train._now().tzinfo is None and isinstance(train._now(), dt.datetime)


class Oracle(ClassifierMixin, BaseEstimator):
    """Knows the answer to every row that it has been shown, or says the same of all."""

    answers: ClassVar[dict[bytes, float]] = {}

    def __init__(self, knows: bool = True) -> None:
        self.knows = knows

    def fit(self, values, outcome):
        self.classes_ = np.unique(outcome)
        return self

    def predict_proba(self, values):
        told = np.array([self.answers.get(row.tobytes(), 0.5) * self.knows for row in values])
        return np.column_stack([1 - told, told])


@pytest.fixture
def later(trained):
    """The night of a week later."""
    _, night = trained
    move = "update ops.clock set as_of = as_of + interval 7 days * (?)"
    with connect(night.settings.warehouse) as connection:
        connection.execute(move, [1])
    yield night
    with connect(night.settings.warehouse) as connection:
        connection.execute(move, [-1])
        connection.execute("delete from ml.segment_models where trained_as_of > ?", [AS_OF])
        connection.execute("delete from ml.segment_scores where valid_from > ?", [AS_OF])


def test_a_challenger_is_promoted_only_if_better_on_what_was_held_back(later, monkeypatch):
    family = "conversion_propensity"

    def week(knows: bool) -> tuple:
        challenger = make_pipeline(Oracle(knows))
        monkeypatch.setattr(
            predict, "search", lambda *_: ("oracle", {"knows": knows}, clone(challenger))
        )
        with connect(later.settings.warehouse) as connection:
            past, outcome = matrix.snapshots(connection, "conversion")
            told = zip(past.values, outcome, strict=True)
            monkeypatch.setattr(Oracle, "answers", {row.tobytes(): yes for row, yes in told})
            train._train_family(later.settings, connection, family)
            said = train.score(later.settings, connection)
            scored = said.split(f"{family}: ")[1].split(";")[0]
            known = connection.execute(
                "select version, is_promoted, champion_roc_auc, remark from ml.segment_models"
                " where segment_family = ? order by version desc limit 1",
                [family],
            ).fetchone()
        return (*known, scored)

    version, is_promoted, champion, remark, scored = week(knows=False)
    assert (version, is_promoted) == (2, False)
    assert 0.5 < champion < 1 and "not better than the champion" in remark
    assert "scored by version 1" in scored
    # A second training as of the same moment takes the place of the first.
    version, is_promoted, same_champion, remark, scored = week(knows=True)
    assert (version, is_promoted, same_champion, remark) == (2, True, champion, None)
    assert "scored by version 2" in scored


def test_an_attribute_that_vanishes_is_told_and_nobody_is_scored_by_what_it_meant(
    later, monkeypatch
):
    def without_the_last(connection):
        people = everybody(connection)
        return matrix.Matrix(people.keys, people.names[:-1], people.values[:, :-1], people.at)

    everybody = matrix.now
    monkeypatch.setattr(matrix, "now", without_the_last)
    before = rows(later, "from ml.segment_scores order by all")
    with connect(later.settings.warehouse) as connection:
        said = train.score(later.settings, connection)
    assert said.count("the attributes changed since version 1, not scored") == len(train.PREDICTED)
    assert rows(later, "from ml.segment_scores order by all") == before


def test_what_is_infinite_is_not_known():
    with duckdb.connect() as connection:
        connection.execute(
            "create schema intermediate; create table intermediate.int_features__vectors as"
            " select 'p' || number as user_key, 'now' as moment_type, null as moment_id,"
            " timestamp '2026-01-01' as feature_at, known.*"
            " from (values (0, 'infinity'::double, 1e0, 1e0), (1, 1e0, '-infinity'::double, 2e0),"
            " (2, 2e0, 2e0, 3e0)) as known (number, a, b, c)"
        )
        values = matrix.now(connection).values
    assert np.isnan(values).sum(axis=0).tolist() == [0, 1, 1, 0]
    assert not np.isinf(values).any()


# Last: it trains anew what the tests above read.
def test_a_training_that_was_cut_off_is_done_again(trained):
    _, night = trained
    assert rows(night, "select count(*), max(trained_as_of) from ml.trainings") == [(1, AS_OF)]
    with connect(night.settings.warehouse) as connection:
        connection.execute("delete from ml.trainings")
    os.environ[fit.FIRST_TRAINING] = "on"
    said = fit.score(night)
    os.environ[fit.FIRST_TRAINING] = "off"
    assert "clusters: version 1" in said
    assert rows(night, "select count(*) from ml.trainings") == [(1,)]
