"""Trust in codes: on held-out rows, off the data, and where rows come back badly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score

from conftest import quick
from narrows import Autoencoder, load
from narrows.datasets import load_mnist
from narrows.errors import DataError
from narrows.model.trust import Clusters, part_as_strange


@pytest.fixture(scope="module")
def digits():
    X, y = load_mnist("test", return_X_y=True)
    return X[:2500], y[:2500]


@pytest.fixture(scope="module")
def without_sevens(digits):
    X, y = digits
    return Autoencoder(8, max_steps=150, random_state=0).fit(X[:2000][y[:2000] != 7])


def test_new_rows_are_spread_over_all_trust(without_sevens, digits):
    X, y = digits
    new = X[2000:][y[2000:] != 7]
    trust = without_sevens.trust(without_sevens.transform(new), new)
    assert ((trust >= 0) & (trust <= 1)).all()
    np.testing.assert_allclose(np.quantile(trust, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.12)


def test_noise_and_kinds_never_seen_are_trusted_less(without_sevens, digits):
    X, y = digits
    new, sevens = X[2000:][y[2000:] != 7], X[2000:][y[2000:] == 7]
    noise = np.random.default_rng(0).random((100, 784), dtype=np.float32)

    def trust(rows):
        return without_sevens.trust(without_sevens.transform(rows), rows)

    for strange, least in ((noise, 0.99), (sevens, 0.7)):
        truth = np.r_[np.ones(len(new)), np.zeros(len(strange))]
        assert roc_auc_score(truth, np.r_[trust(new), trust(strange)]) > least


def test_codes_far_from_all_others_are_trusted_not_at_all(without_sevens, digits):
    Z = without_sevens.transform(digits[0][:50])
    far = Z + 50 * Z.std(axis=0)
    assert np.median(without_sevens.trust(Z)) > 0.2
    assert without_sevens.trust(far).max() < 1e-9


def test_trust_is_read_back_as_it_was(without_sevens, digits, tmp_path):
    Z = without_sevens.transform(digits[0][:50])
    without_sevens.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.trust(Z), without_sevens.trust(Z))
    np.testing.assert_array_equal(
        again.trust(Z, digits[0][:50]), without_sevens.trust(Z, digits[0][:50])
    )


def test_what_cannot_be_trusted_says_why(digits):
    X = digits[0][:60, 300:330]
    ae = quick(2).fit(X)
    with pytest.raises(DataError, match="2 codes and X 3 rows"):
        ae.trust(ae.transform(X[:2]), X[:3])
    with pytest.raises(DataError, match="Use fit"):
        quick(2).partial_fit(X).trust(np.zeros((1, 2)))
    ordered = quick(3, ordered=True, max_steps=5).fit(X)
    with pytest.raises(DataError, match="whole codes of 3"):
        ordered.trust(np.zeros((1, 2)))


@pytest.mark.parametrize("X", [np.ones((30, 3)), np.eye(2), np.repeat(np.eye(4), 30, axis=0)])
def test_strange_sets_have_a_trust(X):
    ae = quick(1).fit(X)
    trust = ae.trust(ae.transform(X), X)
    assert np.isfinite(trust).all()
    assert trust.min() > 0.1


@pytest.mark.parametrize("seed", [2, 3, 6, 7])
def test_rows_that_share_a_code_are_no_stranger_than_those_that_judge_them(seed):
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    X = np.repeat(np.eye(4), 30, axis=0) @ axes
    ae = quick(1).fit(X)
    assert ae.trust(ae.transform(X), X).min() > 0.2


def test_codes_that_are_nearly_the_same_have_a_trust():
    """So near that k-means cannot tell them apart, and far from what has no spread at all."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(4, 3)), 100, axis=0) + 1e-10 * rng.normal(size=(400, 3))
    ae = quick(1).fit(X)
    assert np.isfinite(ae.trust(ae.transform(X), X)).all()
    flat = quick(1).fit(np.ones((30, 3)))
    assert flat.trust([[5.0]])[0] < 0.01


def test_thinness_is_minus_the_log_density_of_the_mixture():
    rng = np.random.default_rng(0)
    shares, means, variances = np.array([0.3, 0.7]), rng.normal(size=(2, 3)), rng.random((2, 3)) + 1
    Z = rng.normal(size=(10, 3))
    densities = [
        share * multivariate_normal(mean, np.diag(variance)).pdf(Z)
        for share, mean, variance in zip(shares, means, variances, strict=True)
    ]
    expected = -np.log(np.sum(densities, axis=0))
    logs = Clusters(shares, means, variances, np.zeros(2)).log_parts(Z)
    np.testing.assert_allclose(-np.logaddexp.reduce(logs, axis=1), expected)


def test_of_equals_all_are_as_strange():
    known = np.r_[np.zeros(10), np.linspace(0.2, 1, 10)]
    assert part_as_strange(known, np.array([0.0]))[0] == 1
    falling = part_as_strange(known, np.array([0.5, 1.0, 2.0, 10.0, 100.0]))
    assert (np.diff(falling) < 0).all()
    assert falling[-1] > 0


@pytest.mark.parametrize("n_components", [2, 6])
def test_rounding_makes_nothing_strange(n_components):
    """Of PCA, which neither drifts nor, with as many numbers as columns, errs."""
    X = np.random.default_rng(0).normal(size=(300, 6)) + 10
    ae = Autoencoder(n_components, bounds=None, max_steps=100, random_state=0).fit(X)
    assert ae.best_step_ == 0
    trust, in_float32 = (ae.trust(ae.transform(rows), rows) for rows in (X, X.astype(np.float32)))
    np.testing.assert_allclose(in_float32, trust, atol=0.02)
    assert np.median(trust) > 0.3


@pytest.mark.parametrize("size", [1e50, 1e160, 1e300])
def test_codes_beyond_all_squares_are_not_trusted(trained, size):
    trust = trained.trust(np.full((2, 2), size))
    assert (trust <= 0.01).all()
