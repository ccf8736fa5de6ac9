"""Numbers about models, against scikit-learn and plain arithmetic."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from narrows import Autoencoder, evaluate
from narrows.common.blocks import evenly_spread
from narrows.errors import DataError, DataTypeError
from narrows.evaluation import classifiers, map_accuracy
from narrows.evaluation.classifiers import classify, knn_accuracy
from narrows.evaluation.density import measure_density
from narrows.evaluation.views import pca_inference


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    ae = Autoencoder(4, max_steps=60, random_state=0).fit(X[:1200])
    return ae, X[1200:], y[1200:]


def test_error_is_the_mean_squared_error_per_value(digits):
    ae, X, y = digits
    report = evaluate(ae, X, y)
    assert report.error == pytest.approx(np.square(ae.reconstruct(X) - X).mean(), rel=1e-12)
    assert report.score == pytest.approx(ae.score(X), rel=1e-9)
    assert report.n_rows, report.n_features == X.shape
    errors = ae.reconstruction_error(X)
    assert report.worst_error == pytest.approx(np.quantile(errors, 0.95))


def test_pca_beside_is_scikit_learns_on_the_rows_of_the_start():
    X = load_iris().data
    ae = Autoencoder(1, validation_fraction=0, keep="last", max_steps=1, random_state=0)
    ae.fit(X[::2])
    pca = PCA(1).fit(X[::2])
    X_hat = pca.inverse_transform(pca.transform(X[1::2]))
    expected = np.square(X_hat - X[1::2]).mean()
    assert evaluate(ae, X[1::2]).pca_error == pytest.approx(expected, rel=1e-9)


def test_pca_is_clipped_as_we_are():
    images = (np.random.RandomState(0).rand(300, 12) > 0.5).astype(float)
    ae = Autoencoder(2, max_steps=5, random_state=0).fit(images[:200])
    assert ae.bounds_ == (0.0, 1.0)
    pca = PCA(2).fit(images[:200])
    X_hat = pca.inverse_transform(pca.transform(images[200:])).clip(0, 1)
    expected = np.square(X_hat - images[200:]).mean()
    assert evaluate(ae, images[200:]).pca_error == pytest.approx(expected, rel=1e-6)


def test_neighbours_agree_with_scikit_learn():
    X, y = load_iris(return_X_y=True)
    train, test = np.arange(0, 150, 2), np.arange(1, 150, 2)
    theirs = KNeighborsClassifier(10).fit(X[train], y[train]).score(X[test], y[test])
    assert knn_accuracy(X[train], y[train], X[test], y[test]) == pytest.approx(theirs)


def test_votes_are_scikit_learns_where_labels_tie():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(400, 2)), rng.integers(0, 5, 400) * 3 - 4
    theirs = KNeighborsClassifier(10).fit(Z[:300], y[:300]).score(Z[300:], y[300:])
    assert knn_accuracy(Z[:300], y[:300], Z[300:], y[300:]) == pytest.approx(theirs)


def test_of_very_many_rows_some_vote_and_some_are_judged(monkeypatch):
    assert (classifiers.MOST_ROWS, classifiers.MOST_VOTERS) == (10_000, 100_000)
    monkeypatch.setattr(classifiers, "MOST_ROWS", 50)
    monkeypatch.setattr(classifiers, "MOST_VOTERS", 50)
    X, y = load_iris(return_X_y=True)
    chosen = evenly_spread(150, 50)
    judge = KNeighborsClassifier(10).fit(X[chosen], y[chosen])
    assert knn_accuracy(X, y, X[:40], y[:40]) == pytest.approx(judge.score(X[:40], y[:40]))
    assert knn_accuracy(X, y) == knn_accuracy(X[chosen], y[chosen])


def test_votes_need_ten_rows():
    Z, y = np.arange(10.0)[:, None], np.arange(10) % 2
    assert 0 <= knn_accuracy(Z, y, Z, y) <= 1
    with pytest.raises(DataError, match="9 rows are too few for the votes of 10 neighbours"):
        knn_accuracy(Z, y)
    with pytest.raises(DataError, match="Z_test and y_test go together"):
        knn_accuracy(Z, y, Z)


def test_a_row_is_not_its_own_neighbour():
    Z = np.repeat(np.arange(2.0), 11)[:, None] * 100
    labels = np.arange(22)
    assert knn_accuracy(Z, labels) == 0.0


def test_the_accuracy_of_a_map_is_that_of_the_scorecard_and_bounded_too(monkeypatch):
    X, y = load_iris(return_X_y=True)
    ae = Autoencoder(2, max_steps=5, random_state=0).fit(X)
    Z, known = ae.transform(X), np.arange(150) > 9
    found = map_accuracy.map_accuracy(ae, X, Z, y, known, fitted=False)
    assert (found.n_judged, found.n_others, found.training) == (140, 139, "unknown")
    assert found.ours == knn_accuracy(Z[10:], y[10:])
    assert "leave-one-out" in found.words().en and "留一法" in found.words().zh
    monkeypatch.setattr(map_accuracy, "MOST_ROWS", 50)
    found = map_accuracy.map_accuracy(ae, X, Z, y, known, fitted=False)
    assert (found.n_judged, found.n_others) == (50, 49)
    chosen = 10 + evenly_spread(140, 50)
    assert found.ours == knn_accuracy(Z[chosen], y[chosen])
    assert found.pca == knn_accuracy(pca_inference(ae).encode(X[chosen]), y[chosen])


def test_labels_must_fit_the_rows(digits):
    ae, X, y = digits
    with pytest.raises(DataError, match="one label per row"):
        evaluate(ae, X, y[:-1])
    with pytest.raises(DataError, match="too few"):
        evaluate(ae, X[:5], y[:5])


def test_the_report_reads_and_serialises(digits):
    ae, X, y = digits
    report = evaluate(ae, X, y)
    text = str(report)
    assert "PCA's error" in text
    assert "10-NN accuracy" in text
    assert report.as_dict()["error"] == report.error
    assert "10-NN" not in str(evaluate(ae, X))


def test_classifier_counts_its_parameters(digits):
    _, X, y = digits
    result = classify(X[:400], y[:400], X[400:], y[400:], hidden=8, max_iter=200)
    assert result.n_parameters == 64 * 8 + 8 + 8 * 10 + 10
    assert result.accuracy > 0.6


def test_arguments_the_wrong_way_round_are_named_without_printing_the_rows(digits):
    ae, X_test, _ = digits
    with pytest.raises(DataTypeError, match=r"Autoencoder first, .* is of type ndarray\.$"):
        evaluate(X_test, ae)
    for measured in (evaluate, measure_density):
        with pytest.raises(DataTypeError, match=r"Autoencoder first, .* is of type Model\.$"):
            measured(ae.model_, X_test)
