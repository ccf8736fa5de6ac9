"""Finite scalar quantisation: levels against published ones, counts of codes, slopes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.decomposition import PCA
from torch import nn

from conftest import noise, quick
from narrows import FSQ
from narrows.errors import ParameterError
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, Widths
from narrows.objectives import Batch, Step
from narrows.objectives.fsq import best_levels

# The positive levels and the squared error for N(0, 1): J. Max 1960, table I.
MAX_1960 = {
    2: ([0.7980], 0.3634),
    3: ([0.0, 1.224], 0.1902),
    4: ([0.4528, 1.510], 0.1175),
    5: ([0.0, 0.7646, 1.724], 0.07994),
    8: ([0.2451, 0.7560, 1.344, 2.152], 0.03454),
}


def levels(objective, k):
    return objective.build(Widths(6, k, k, 6), None, torch.Generator())


@pytest.mark.parametrize("n", MAX_1960)
def test_levels_are_those_that_were_published(n):
    values = best_levels(n).numpy()
    np.testing.assert_allclose(values[n // 2 :], MAX_1960[n][0], atol=6e-4)
    np.testing.assert_array_equal(values, -values[::-1])


@pytest.mark.parametrize("n", MAX_1960)
def test_they_lose_as_little_of_a_normal_number_as_was_published(n):
    # At the middles of 100,000 equally probable parts.
    z = torch.from_numpy(norm.ppf((np.arange(100_000) + 0.5) / 100_000)).float()[:, None]
    lost = (levels(FSQ(levels=n), 1)(z) - z).square().mean().item()
    assert lost == pytest.approx(MAX_1960[n][1], rel=1e-3)


def test_many_levels_rise_and_lose_next_to_nothing():
    values = best_levels(1024)
    assert (values.diff() > 0).all()
    z = torch.from_numpy(norm.ppf((np.arange(100_000) + 0.5) / 100_000)).float()[:, None]
    assert (levels(FSQ(levels=1024), 1)(z) - z).square().mean() < 1e-5


@pytest.mark.parametrize(("given", "count"), [(2, 8), (5, 125), ((2, 3, 7), 42)])
def test_there_are_as_many_codes_as_the_product_of_levels(given, count):
    grid = torch.linspace(-4, 4, 33)
    z = torch.tensor(list(itertools.product(grid, grid, grid)))
    codes = levels(FSQ(levels=given), 3)(z)
    assert len(torch.unique(codes, dim=0)) == count


def test_a_code_is_the_nearest_level():
    z = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    found = levels(FSQ(levels=(3, 8)), 2)(z)
    for column, n in enumerate((3, 8)):
        values = best_levels(n).float()
        gaps = np.abs(z[:, column].numpy()[:, None] - values.numpy())
        np.testing.assert_array_equal(found[:, column], values[gaps.argmin(axis=1)])


class Given(nn.Module):
    """An encoder that gives the same codes whatever the rows."""

    def __init__(self, z):
        super().__init__()
        self.z = nn.Parameter(z)

    def forward(self, x):
        return self.z


def test_gradients_pass_straight_through_and_fade_outside_the_levels():
    z = torch.tensor([[0.0, 1.0], [-0.3, 30.0]])
    objective, encoder = FSQ(levels=8), Given(z.clone())
    scaling = Scaling(np.zeros(1), np.ones(1))
    net = Autoencoding(scaling, encoder, nn.Identity(), extra=levels(objective, 2))
    loss = objective.terms(net, Batch(torch.zeros(2, 2)), Step({}))["reconstruction"]
    loss.sum().backward()
    # The mean of q² over two features has the derivative q.
    slope = 1 / torch.cosh(z / best_levels(8)[-1].item()) ** 2
    torch.testing.assert_close(encoder.z.grad, net.extra(z) * slope)
    assert encoder.z.grad[1, 1] == 0


def test_many_levels_start_as_pca():
    X = noise()
    ae = quick(objective=FSQ(levels=1024), max_steps=1).fit(X)
    assert ae.best_step_ == 0
    pca = PCA(2).fit(X)
    X_hat = pca.inverse_transform(pca.transform(X))
    # Levels are 0.004 apart in the middle and some 0.05 at the ends, in deviations.
    np.testing.assert_allclose(ae.reconstruct(X), X_hat, atol=0.01)


def test_codes_are_levels_and_others_decode_like_the_nearest(X):
    ae = quick(objective=FSQ(levels=(5, 4)), max_steps=20, keep="last").fit(X)
    Z = ae.transform(X)
    for column, n in enumerate((5, 4)):
        assert set(np.unique(Z[:, column])) <= set(best_levels(n).float().double().tolist())
    X_hat = ae.inverse_transform(Z)
    np.testing.assert_array_equal(ae.inverse_transform(Z + 0.1), X_hat)
    np.testing.assert_array_equal(ae.reconstruct(X), X_hat)


def test_levels_for_another_number_of_numbers_are_refused(X):
    with pytest.raises(ParameterError, match="has 3 entries, but n_components is 2"):
        quick(objective=FSQ(levels=(8, 5, 5))).fit(X)


@pytest.mark.parametrize("wrong", [1, 1025, (8, 1), "8", 2.5])
def test_limits_of_levels(wrong, X):
    with pytest.raises(ParameterError, match="`levels` of FSQ must be an integer ≥ 2 and ≤ 1024"):
        quick(objective=FSQ(levels=wrong)).fit(X)
