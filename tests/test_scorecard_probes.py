"""The scorecard's neighbours, probes and clusters are those of scikit-learn and scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from conftest import digits, keys, quick
from narrows import evaluate
from narrows.evaluation import neighbors, probes, splitting
from narrows.evaluation.clusters import k_means, matched_table, mixture
from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.views import pca_inference, untrained

# ---------------------------------------------------------------------- neighbours


def test_neighbourhoods_are_scikit_learns_and_scipys(rng):
    rows = rng.normal(size=(40, 5))
    codes = rows[:, :2] + rng.normal(0, 0.3, (40, 2))
    space = neighbors.Space(rows, 7)
    assert space.trustworthiness(codes) == pytest.approx(
        trustworthiness(rows, codes, n_neighbors=7)
    )
    assert space.continuity(codes) == pytest.approx(trustworthiness(codes, rows, n_neighbors=7))
    assert space.continuity(codes) != pytest.approx(space.trustworthiness(codes), abs=1e-3)
    expected = spearmanr(pdist(rows), pdist(codes)).statistic
    assert space.shepard(codes) == pytest.approx(expected, rel=1e-6)
    kept = [
        len(set(np.argsort(np.linalg.norm(rows - rows[i], axis=1))[1:8])
            & set(np.argsort(np.linalg.norm(codes - codes[i], axis=1))[1:8])) / 7
        for i in range(40)
    ]  # fmt: skip
    assert space.kept(codes) == pytest.approx(np.mean(kept))
    perfect = [test(3 * rows) for test in (space.kept, space.trustworthiness, space.shepard)]
    assert perfect == pytest.approx([1, 1, 1])


def test_very_many_pairs_are_drawn_by_chance(rng, monkeypatch):
    rows = rng.normal(size=(300, 4))
    codes = rows[:, :2]
    whole = neighbors.Space(rows, 5).shepard(codes)
    monkeypatch.setattr(neighbors, "MOST_PAIRS", 20_000)
    drawn = neighbors.Space(rows, 5, seed=1).shepard(codes)
    assert drawn != whole
    assert drawn == pytest.approx(whole, abs=0.02)
    first, second = neighbors._pairs(300, 1)
    assert len(first) == 20_000
    assert (first != second).all() and first.max() == second.max() == 299


def test_codes_that_are_all_alike_have_no_correlation(rng):
    space = neighbors.Space(rng.normal(size=(20, 4)), 5)
    assert math.isnan(space.shepard(np.ones((20, 2))))


def test_distances_are_those_that_the_model_sees():
    X = load_wine().data
    ae = quick(13, scaling="standard", keep="best", max_steps=1).fit(X[::2])
    line = evaluate(ae, X[1::2]).measure("neighbours", "neighbours_kept")
    assert line.scores["pca"].mean > 0.99  # as many numbers as columns: nothing can be lost


def test_10_nn_accuracy_is_scikit_learns_by_training_rows(model, card):
    X_train, y_train, X, y = digits()
    for encode, name in ((model.transform, "narrows"), (pca_inference(model).encode, "pca")):
        judge = KNeighborsClassifier(10).fit(encode(X_train), y_train)
        line = card.measure("neighbours", "knn_accuracy")
        assert line.scores[name].mean == pytest.approx(judge.score(encode(X), y))
        assert line.scores[name].mean == card.measure("probes", "knn_all").scores[name].mean
    assert card.knn_accuracy == line.scores["narrows"].mean
    assert line.name.en == "10-NN accuracy of codes"


def test_10_nn_accuracy_without_training_rows_is_called_leave_one_out(model):
    _, _, X, y = digits()
    Z = model.transform(X)
    hits = [
        KNeighborsClassifier(10).fit(np.delete(Z, i, 0), np.delete(y, i)).predict(Z[i : i + 1])[0]
        == y[i]
        for i in range(len(Z))
    ]
    report = evaluate(model, X, y)
    assert report.knn_accuracy == pytest.approx(np.mean(hits))
    name = report.measure("neighbours", "knn_accuracy").name
    assert name.en == "10-NN accuracy of codes, leave-one-out" and "留一法" in name.zh


# ---------------------------------------------------------------------- rows


def test_halves_share_no_row_and_have_equal_classes():
    classes = np.repeat([0, 1, 2], [10, 31, 4])
    learn, test = splitting.halves(classes, 1000, seed=3)
    assert sorted([*learn, *test]) == list(range(45))
    assert np.bincount(classes[learn]).tolist() == [5, 16, 2]
    assert not np.array_equal(learn, splitting.halves(classes, 1000, seed=4)[0])
    assert sum(map(len, splitting.halves(classes, 20, seed=3))) == 20


def test_training_rows_are_learned_from_and_held_out_rows_are_tested_on():
    rows = np.arange(100.0)[:, None]
    data = MeasuredRows(rows[60:], np.arange(40) % 2, ("a", "b"), rows[:60], np.arange(60) % 2)
    chosen = splitting.split(data, 0)
    assert chosen.learn.max() == 59 and chosen.test.min() == 60
    assert np.array_equal(chosen.learn[:, 0] % 2, chosen.learn_classes)
    halved = splitting.split(MeasuredRows(rows[60:], np.arange(40) % 2, ("a", "b"), rows[:60]), 0)
    assert not set(halved.learn[:, 0]) & set(halved.test[:, 0])
    assert halved.learn.min() >= 60


def test_few_labels_are_spread_evenly():
    classes = np.repeat([0, 1, 2], [500, 300, 3])
    drawn = probes.few_of_each(classes, 100, seed=0)
    assert len(set(drawn)) == 100
    counts = np.bincount(classes[drawn])
    assert counts[2] == 3 and sorted(counts[:2]) == [48, 49]
    assert set(drawn) != set(probes.few_of_each(classes, 100, seed=1))


# ---------------------------------------------------------------------- probes and clusters


def test_probes_are_scikit_learns_on_codes_of_training_rows(model, card):
    X_train, y_train, X, y = digits()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    codes, held_out = (model.transform(rows).astype(float) for rows in (X_train, X))
    expected = probe.fit(codes, y_train).score(held_out, y)
    line = card.measure("probes", "linear_all")
    assert line.scores["narrows"].mean == pytest.approx(expected)
    assert line.name.en == "linear, 240 labels"
    raw = probe.fit(X_train, y_train).score(X, y)
    assert line.scores["input"].mean == pytest.approx(raw, abs=0.01)
    assert set(line.scores) == {"narrows", "pca", "input", "random_network"}
    assert keys(card, "probes") == ["linear_all", "linear_100", "knn_all", "knn_100"]
    for budget in ("all", "100"):
        assert card.measure("probes", f"knn_{budget}").scores["narrows"].mean > 0.4  # chance: 0.1


def test_labels_of_chance_are_not_learned(model):
    _, _, X, _ = digits()
    y = np.random.default_rng(0).integers(0, 2, len(X))
    report = evaluate(model, X, y)
    # Five deviations of 120 tosses of a coin.
    for line in ("linear_all", "linear_100", "knn_all", "knn_100"):
        for score in report.measure("probes", line).scores.values():
            assert abs(score.mean - 0.5) < 5 * math.sqrt(0.25 / 120)


def test_the_random_network_has_the_architecture_and_other_weights(model):
    X = digits()[2]
    before = model.transform(X)
    drawn = untrained(model.model_, 0).encode(X)
    assert drawn.shape == before.shape
    assert np.array_equal(drawn, untrained(model.model_, 0).encode(X))
    assert not np.allclose(drawn, untrained(model.model_, 1).encode(X))
    assert np.array_equal(model.transform(X), before)
    hidden = [
        layer
        for layer in untrained(model.model_, 0)._net.encoder.modules()
        if isinstance(layer, nn.Linear)
    ]
    assert [layer.out_features for layer in hidden] == [16, 3]
    assert float(hidden[-1].weight.detach().abs().min()) > 0  # not silent, as beside PCA


def test_the_users_own_modules_are_drawn_anew():
    X, _, held_out, _ = digits()
    pair = nn.Linear(64, 2), nn.Linear(2, 64)
    ae = quick(2, network=pair, init="random").fit(X)
    drawn = untrained(ae.model_, 0).encode(held_out)
    assert not np.allclose(drawn, untrained(ae.model_, 1).encode(held_out))
    with_own_weights = ((held_out - X.mean(axis=0)) @ pair[0].weight.detach().numpy().T)[:, 0]
    assert abs(np.corrcoef(drawn[:, 0], with_own_weights)[0, 1]) < 0.999


def test_clusters_are_matched_as_well_as_they_can_be(rng):
    classes, found = rng.integers(0, 4, (2, 200))
    best = max(
        np.mean(np.array(order)[found] == classes) for order in itertools.permutations(range(4))
    )
    assert np.trace(matched_table(classes, found, 4)) / 200 == pytest.approx(best)
    renamed = np.array([2, 0, 3, 1])[classes]
    assert np.array_equal(matched_table(classes, renamed, 4), np.diag(np.bincount(classes)))


@pytest.mark.parametrize("cluster", [k_means, mixture])
def test_clusters_of_apart_groups_are_the_groups(cluster, rng):
    classes = np.arange(300) % 3
    rows = 1000 + 100 * np.eye(3)[classes] + rng.normal(0, 1, (300, 3))
    found = cluster(rows[:150], rows[150:], 3, 0)
    assert np.trace(matched_table(classes[150:], found, 3)) == 150


def test_clusters_are_counted_class_by_class(card):
    counts = card.shown.clusters
    assert np.array_equal(counts.sum(axis=1), np.bincount(digits()[3]))
    accuracy = card.measure("clusters", "kmeans_accuracy").scores["narrows"].mean
    assert np.trace(counts) / counts.sum() == pytest.approx(accuracy)
    assert set(card.measure("clusters", "mixture_accuracy").scores) == {"narrows", "pca"}
