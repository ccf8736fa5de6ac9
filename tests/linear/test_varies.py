"""What varies, and what is constant up to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from conftest import quick
from narrows.linear.moments import column_moments
from narrows.linear.pca import fit_pca
from narrows.linear.scaling import choose_scaling
from narrows.linear.varies import EPSILON, Rounding, deviations, rounding_of, without_noise
from narrows.objectives.priors import PRIORS

N = 300


def noisy(value, dtype=np.float64, n=N, seed=0):
    """A constant column but for rounding, by at most one unit in the last place."""
    rng = np.random.default_rng(seed)
    column = np.full(n, value, dtype=dtype)
    up, down = (np.nextafter(column, dtype(end)) for end in (np.inf, -np.inf))
    return np.choose(rng.integers(3, size=n), [down, column, up])


VALUES = [0.1, -3.7, 1e-8, 1e8, 1e15, 1e-90, 1e90]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_column_has_no_variance(value, dtype):
    if dtype == np.float32 and not 1e-30 < abs(value) < 1e30:
        return
    column = noisy(value, dtype)
    assert np.ptp(column) > 0
    mean, variances = column_moments(
        lambda: (part.astype(float)[:, None] for part in np.array_split(column, 7)),
        rounding_of(dtype),
    )
    assert variances.tolist() == [0.0]
    assert mean == pytest.approx(value)
    assert deviations(column[:, None]).tolist() == [0.0]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("size", [1e-15, 1e-13, 1e-11, 1e-6])
def test_the_bound_of_float64_is_that_of_scikit_learn(value, size):
    column = value * (1 + size * np.random.default_rng(1).normal(size=(N, 1)))
    scaler = StandardScaler().fit(column)
    constant = without_noise(scaler.var_, scaler.mean_, N)[0] == 0
    assert constant == (scaler.scale_[0] == 1)


def test_what_was_subtracted_counts():
    variances, mean = np.array([1e-30, 1e-30]), np.zeros(2)
    origin = Rounding(origin=np.array([0.0, 1.0]))
    assert without_noise(variances, mean, N, origin).tolist() == [1e-30, 0.0]


@pytest.mark.parametrize(
    ("dtype", "epsilon"), [("f4", 2**-23), ("f8", EPSILON), ("f2", 2**-10), ("u1", EPSILON)]
)
def test_data_are_known_as_exactly_as_their_dtype(dtype, epsilon):
    assert rounding_of(dtype) == Rounding(epsilon)


def test_small_variations_of_float32_are_kept():
    """Temperatures that vary by a hundredth of a degree, in many rows."""
    column = (300 + 0.01 * np.random.default_rng(0).normal(size=60_000)).astype(np.float32)
    assert deviations(column[:, None]) == pytest.approx(0.01, rel=0.02)


def test_pca_of_rounding_noise_has_no_components():
    X = np.stack([noisy(0.1, seed=1), noisy(7.3, seed=2)], axis=1)
    found = fit_pca(lambda: iter([X]), 2, 0)
    assert not found.components_.any()
    assert not found.explained_variance_.any()


@pytest.mark.parametrize("pair", [(0, 1), (-1.0, 3.0)])
def test_a_pair_does_not_stretch_rounding_noise(pair):
    column = noisy(0.1)
    net = choose_scaling(pair, np.array([0.1]), np.zeros(1), column.min(), column.max())
    assert net.divisor.tolist() == [1.0]


def test_a_large_constant_column_does_not_drown_the_others():
    """Its rounding alone is 10 to 20; divided by 1 it would be all that there is."""
    net = choose_scaling("standard", np.array([1e17, 0.0]), np.array([0.0, 4.0]), 0, 0)
    scaled = net(torch.from_numpy(np.stack([noisy(1e17), np.zeros(N)], axis=1)))
    assert scaled[:, 0].abs().max() < 1e-3
    assert net.divisor[1] == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["standard", "auto", (0, 1)])
def test_a_row_moved_by_a_hundredth_gets_a_code_of_its_size(dtype, scaling):
    """In a column constant up to rounding, beside columns that vary, or alone."""
    rng = np.random.default_rng(0)
    beside = np.concatenate([rng.normal(size=(N, 4)), noisy(0.1)[:, None]], axis=1).astype(dtype)
    beside[:, 4] = noisy(0.1, dtype)
    alone = np.stack([noisy(0.1, dtype, seed=1), noisy(7.3, dtype, seed=2)], axis=1)
    for X in (beside, alone):
        ae = quick(2, max_steps=10, scaling=scaling).fit(X)
        row = X[:1].copy()
        row[0, -1] += 0.01
        assert np.abs(ae.transform(row)).max() < 20
        assert np.abs(ae.transform(row) - ae.transform(X[:1])).max() < 0.1


def test_a_flow_does_not_stretch_a_number_that_is_constant(monkeypatch):
    rng = np.random.default_rng(0)
    codes = np.stack([rng.normal(size=400), noisy(0.1, np.float32, 400)], axis=1)
    monkeypatch.setattr("narrows.objectives.priors.flow.FIT_STEPS", 5)
    flow = PRIORS["flow"].fit(torch.from_numpy(codes), 0)
    assert flow.scale.tolist() == [pytest.approx(codes[:, 0].std(), rel=1e-6), 1.0]


def test_scores_of_constant_rows_are_zero():
    X = np.stack([noisy(0.1, seed=1), noisy(7.3, seed=2)], axis=1)
    ae = quick(1, max_steps=5).fit(X)
    assert ae.score(X) == 0
    assert ae.explained_variance_ratio_ == 0
