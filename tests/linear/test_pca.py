"""Our principal components against scikit-learn's full singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from narrows.linear import moments as sums
from narrows.linear import pca as module
from narrows.linear.moments import column_moments
from narrows.linear.pca import fit_pca
from narrows.linear.varies import rounding_of
from narrows.sources.array import ArraySource


def spectrum(n_rows, n_columns, seed=0):
    """Rows whose deviations fall by a tenth from one direction to the next."""
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))
    deviations = 0.9 ** np.arange(n_columns)
    return rng.standard_normal((n_rows, n_columns)) * deviations @ axes + 5


def in_blocks(X, size=37):
    return lambda: (X[start : start + size].astype(float) for start in range(0, len(X), size))


def ours(X, k, seed=0, size=37):
    return fit_pca(in_blocks(X, size), k, seed)


def assert_same(found, X, k, rtol=1e-9):
    expected = PCA(k, svd_solver="full").fit(X)
    np.testing.assert_allclose(found.mean_, expected.mean_, rtol=1e-12, atol=1e-12)
    cosines = np.abs((found.components_ * expected.components_).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, rtol=rtol)
    for name in ("explained_variance_", "explained_variance_ratio_", "singular_values_"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        # The smallest are as exact as the last bits of the largest let them be.
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-14 * theirs[0])
    np.testing.assert_allclose(found.components_ @ found.components_.T, np.eye(k), atol=1e-9)
    largest = found.components_[np.arange(k), np.abs(found.components_).argmax(axis=1)]
    assert (largest > 0).all()
    np.testing.assert_allclose(found.variances_, X.var(axis=0, ddof=1), rtol=1e-9)
    assert (found.n_samples_, found.n_components_) == (len(X), k)


@pytest.mark.parametrize(("n_rows", "n_columns", "k"), [(200, 12, 5), (60, 60, 60), (9, 1, 1)])
def test_by_covariance(n_rows, n_columns, k):
    X = spectrum(n_rows, n_columns)
    assert_same(ours(X, min(k, n_rows - 1)), X, min(k, n_rows - 1))


@pytest.mark.parametrize(("n_rows", "n_columns", "k"), [(20, 500, 19), (5, 6, 3), (2, 40, 1)])
def test_by_the_gram_matrix_of_few_rows(n_rows, n_columns, k):
    X = spectrum(n_rows, n_columns)
    assert_same(ours(X, k), X, k)


@pytest.mark.parametrize("widest", [4096, 10])
def test_rows_that_are_not_kept_are_read_again(monkeypatch, widest):
    monkeypatch.setattr(module, "WIDEST_COVARIANCE", widest)
    X = spectrum(20, 60)
    kept = ours(X, 5, size=7)
    monkeypatch.setattr(sums, "KEPT_BYTES", 0)
    np.testing.assert_array_equal(ours(X, 5, size=7).components_, kept.components_)


def test_by_a_random_sketch_of_wide_data(monkeypatch):
    monkeypatch.setattr(module, "WIDEST_COVARIANCE", 50)
    X = spectrum(300, 100)
    found = ours(X, 6)
    assert_same(found, X, 6, rtol=1e-6)
    np.testing.assert_array_equal(found.components_, ours(X, 6).components_)
    assert not np.array_equal(found.components_, ours(X, 6, seed=1).components_)


def test_a_sketch_of_everything(monkeypatch):
    monkeypatch.setattr(module, "WIDEST_COVARIANCE", 4)
    X = spectrum(30, 8)
    assert_same(ours(X, 8), X, 8, rtol=1e-6)


@pytest.mark.parametrize("shape", [(200, 12), (20, 50)])
def test_blocks_do_not_matter(shape):
    X = spectrum(*shape)
    whole, parts = ours(X, 4, size=1000), ours(X, 4, size=7)
    np.testing.assert_allclose(whole.components_, parts.components_, atol=1e-10)
    np.testing.assert_allclose(whole.mean_, parts.mean_, rtol=1e-13)


@pytest.mark.parametrize("shape", [(200, 6), (5, 12)])
def test_a_mean_far_from_zero_costs_no_digits(shape):
    X = spectrum(*shape)
    k = 3
    far, near = ours(X + 1e8, k), ours(X, k)
    # 1e8 leaves 8 of 16 digits to a deviation near one.
    np.testing.assert_allclose(far.explained_variance_, near.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(far.components_, near.components_, atol=1e-6)


@pytest.mark.parametrize("n_rows", [200, 6000])
def test_a_column_a_million_times_larger_hides_no_other(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 5)) * [1, 5, 1e6, 2, 3] + [0, 0, 1e7, 0, 0]
    found, expected = ours(X, 5, size=1000), PCA(5, svd_solver="full").fit(X)
    # The covariance squares the ratio: 1e12 leaves 4 of 16 digits.
    np.testing.assert_allclose(found.explained_variance_, expected.explained_variance_, rtol=0.01)
    back = found.inverse_transform(found.transform(X))
    np.testing.assert_allclose(back, X, atol=1e-3)


@pytest.mark.parametrize("shape", [(50, 8), (6, 20)])
def test_what_lies_beyond_the_rank_is_zero(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1])) + 1
    found = ours(X, 6)
    assert (np.abs(found.components_).max(axis=1) > 0).tolist() == [True] * 3 + [False] * 3
    np.testing.assert_array_equal(found.explained_variance_[3:], 0)
    np.testing.assert_array_equal(found.transform(X)[:, 3:], 0)
    np.testing.assert_allclose(found.inverse_transform(found.transform(X)), X)
    assert found.explained_variance_ratio_.sum() == pytest.approx(1)


def test_more_components_than_rows():
    X = spectrum(4, 9)
    found = ours(X, 7)
    assert found.components_.shape == (7, 9)
    np.testing.assert_array_equal(found.components_[3:], 0)


@pytest.mark.parametrize("n_columns", [1, 3, 40])
def test_constant_columns(n_columns):
    X = np.full((10, n_columns), 1e5 + 0.1)
    found = ours(X, 1)
    assert found.variances_.tolist() == [0] * n_columns
    np.testing.assert_array_equal(found.components_, 0)
    np.testing.assert_array_equal(found.explained_variance_ratio_, 0)
    np.testing.assert_allclose(found.inverse_transform(found.transform(X)), X, rtol=1e-15)


def test_column_moments():
    X = spectrum(100, 7) + 1e6
    mean, variances = column_moments(in_blocks(X))
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(variances, X.var(axis=0, ddof=1), rtol=1e-8)
    assert column_moments(in_blocks(X[:1]))[1].tolist() == [0] * 7


def test_products_in_float32_give_what_float64_gives(rng):
    X = (rng.normal(size=(3000, 40)) @ rng.normal(size=(40, 40)) + 5).astype(np.float32)
    exact, fast = (
        fit_pca(ArraySource(X).blocks, 6, 0, rounding_of(X.dtype), in_float32=in_float32)
        for in_float32 in (False, True)
    )
    assert not np.array_equal(exact.components_, fast.components_)
    np.testing.assert_allclose(fast.components_, exact.components_, atol=1e-5)
    np.testing.assert_allclose(fast.explained_variance_, exact.explained_variance_, rtol=1e-5)
    np.testing.assert_allclose(fast.variances_, exact.variances_, rtol=1e-5)
    np.testing.assert_array_equal(fast.mean_, exact.mean_)


@pytest.mark.parametrize("factor", [1e6, 1e25, 1e-30])
def test_float64_is_taken_where_float32_does_not_suffice(rng, factor):
    X = rng.normal(size=(500, 8)).astype(np.float32)
    X[:, 3] *= factor
    if factor == 1e-30:
        X *= np.float32(1e-8)
    given = ArraySource(X).blocks, 8, 0, rounding_of(X.dtype)
    exact, fast = fit_pca(*given), fit_pca(*given, in_float32=True)
    np.testing.assert_array_equal(fast.components_, exact.components_)
    np.testing.assert_array_equal(fast.explained_variance_, exact.explained_variance_)


def test_float64_is_taken_where_little_is_left_over(rng):
    """So little that float32 would tell it by its own rounding."""
    X = rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 40))
    X = (X + 1e-3 * rng.normal(size=X.shape)).astype(np.float32)
    given = ArraySource(X).blocks, 4, 0, rounding_of(X.dtype)
    exact, fast = fit_pca(*given), fit_pca(*given, in_float32=True)
    np.testing.assert_array_equal(fast.explained_variance_, exact.explained_variance_)
