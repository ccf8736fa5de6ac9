"""Scaling there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from narrows.linear.scaling import SCALING, choose_scaling

X = np.random.default_rng(0).normal(size=(50, 4)) * [1, 10, 0.1, 5] + [0, 100, -3, 7]
MEAN, VARIANCE = X.mean(axis=0), X.var(axis=0, ddof=1)


LOW, HIGH = X.min(), X.max()


def chosen(scaling, mean=MEAN, variance=VARIANCE, low=LOW, high=HIGH):
    return choose_scaling(scaling, mean, variance, low, high)


def scaled(scaling):
    return chosen(scaling)(torch.from_numpy(X)).numpy()


@pytest.mark.parametrize("scaling", ["auto", "standard", None, (0, 1), (-3.0, 5.0)])
def test_there_and_back(scaling):
    net = chosen(scaling)
    rows = torch.from_numpy(X)
    np.testing.assert_allclose(net.inverse(net(rows)).numpy(), X, rtol=1e-13, atol=1e-13)


def test_auto_centres_and_keeps_the_ratios_of_distances():
    found = scaled("auto")
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-13)
    assert found.var(axis=0, ddof=1).mean() == pytest.approx(1)
    ratios = np.linalg.norm(found - found[0], axis=1)[1:] / np.linalg.norm(X - X[0], axis=1)[1:]
    np.testing.assert_allclose(ratios, ratios[0])


def test_standard_gives_every_column_unit_variance():
    found = scaled("standard")
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(found.var(axis=0, ddof=1), 1)


@pytest.mark.parametrize("pair", [(0, 1), (-0.5, 0.5), (-3.0, 5.0)])
def test_a_pair_takes_the_extremes(pair):
    found = scaled(pair)
    assert (found.min(), found.max()) == pytest.approx(pair)


def test_none_leaves_the_data_alone():
    np.testing.assert_array_equal(scaled(None), X)


@pytest.mark.parametrize("scaling", ["auto", "standard", None, (0, 1)])
def test_constant_data_stays_finite(scaling):
    net = chosen(scaling, np.full(4, 3.0), np.zeros(4), 3.0, 3.0)
    rows = torch.full((2, 4), 3.0, dtype=torch.float64)
    assert torch.isfinite(net(rows)).all()
    torch.testing.assert_close(net.inverse(net(rows)), rows)


def test_a_constant_column_among_others():
    net = chosen("standard", variance=np.array([1.0, 0.0, 4.0, 9.0]))
    assert net.divisor.tolist() == [1.0, 1.0, 2.0, 3.0]


def test_shift_and_divisor_travel_with_the_network_and_are_not_trained():
    net = chosen("standard")
    assert set(net.state_dict()) == {"shift", "divisor"}
    assert not list(net.parameters())
    assert net.shift.dtype == torch.float64


@pytest.mark.parametrize("value", ["auto", "standard", None, (0, 1), [0, 1]])
def test_what_scaling_may_be(value):
    assert SCALING.allows(value)


@pytest.mark.parametrize("value", ["minmax", (1, 1), (0, 1, 2), 3, (0, "1")])
def test_what_scaling_may_not_be(value):
    assert not SCALING.allows(value)
