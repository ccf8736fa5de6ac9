"""Likelihoods of rows against torch's and scipy's distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import logistic
from torch import nn
from torch.distributions import Bernoulli, Normal

from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, LinearPath
from narrows.objectives.shared.likelihoods import LEVELS, LIKELIHOODS, residual_deviation

B, D, K = 6, 5, 2


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(divisor=(1.0,)):
    scaling = Scaling(np.zeros(len(divisor)), np.array(divisor))
    return Autoencoding(scaling, nn.Identity(), nn.Identity())


def outputs():
    return torch.randn(B, D, generator=generator()), torch.rand(B, D, generator=generator(1))


@pytest.mark.parametrize("divisor", [(1.0,), (10.0,), (1.0, 2, 3, 4, 5)])
def test_gaussian_is_a_density_in_data_units(divisor):
    a, x = outputs()
    log_scale = torch.tensor([-0.7])
    found = LIKELIHOODS["gaussian"].log_prob(network(divisor), a, x, log_scale)
    units = torch.tensor(divisor).expand(D)
    expected = Normal(a * units, math.exp(-0.7) * units).log_prob(x * units).sum(dim=1)
    torch.testing.assert_close(found, expected, check_dtype=False)


def test_bernoulli_is_that_of_the_logits():
    a, x = outputs()
    x = x.round()
    found = LIKELIHOODS["bernoulli"].log_prob(network(), a, x, torch.empty(0))
    torch.testing.assert_close(found, Bernoulli(logits=a).log_prob(x).sum(dim=1))
    torch.testing.assert_close(LIKELIHOODS["bernoulli"].mean(a), torch.sigmoid(a))


def test_bernoulli_of_a_grey_value_is_the_mean_over_black_and_white():
    a = torch.tensor([[0.4]])
    found = LIKELIHOODS["bernoulli"].log_prob(network(), a, torch.tensor([[0.3]]), torch.empty(0))
    both = (
        Bernoulli(logits=a).log_prob(torch.tensor([[1.0]])),
        Bernoulli(logits=a).log_prob(torch.tensor([[0.0]])),
    )
    assert found.item() == pytest.approx(0.3 * both[0].item() + 0.7 * both[1].item())


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.2, 0.51, 1.0, 1.7])
@pytest.mark.parametrize("log_scale", [-7.0, -4.0, -2.0, 0.0])
def test_logistic_mass_sums_to_one_over_256_values(mean, log_scale):
    x = (torch.arange(LEVELS) / (LEVELS - 1))[:, None].double()
    a = torch.full_like(x, mean)
    scale = torch.tensor([log_scale]).double()
    mass = LIKELIHOODS["logistic"].log_prob(network(), a, x, scale).exp()
    assert mass.sum().item() == pytest.approx(1, abs=1e-6)


def test_logistic_mass_is_that_of_scipys_distribution():
    x = torch.tensor([[10 / 255, 200 / 255, 0.0, 1.0]]).double()
    a, scale = torch.tensor([[0.1, 0.7, 0.2, 0.6]]).double(), 0.05
    edges = logistic(a.numpy(), scale)
    low, high = edges.cdf(x - 0.5 / 255), edges.cdf(x + 0.5 / 255)
    low[0, 2], high[0, 3] = 0.0, 1.0
    log_scale = torch.full((4,), math.log(scale)).double()
    found = LIKELIHOODS["logistic"].log_prob(network(), a, x, log_scale)
    assert found.item() == pytest.approx(np.log(high - low).sum(), rel=1e-6)


def test_logistic_stays_finite_far_from_the_mean():
    a = torch.tensor([[50.0, -50.0]], requires_grad=True)
    log_scale = torch.full((2,), -20.0, requires_grad=True)
    x = torch.tensor([[0.0, 0.5]])
    loss = LIKELIHOODS["logistic"].log_prob(network(), a, x, log_scale)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(a.grad).all()


def path(left_over=0.5):
    return LinearPath(
        into_weight=torch.eye(D)[:K].double(),
        into_bias=torch.zeros(K).double(),
        into_gain=torch.ones(K).double(),
        back_weight=torch.eye(D)[:, :K].double(),
        back_bias=torch.full((D,), 0.3).double(),
        back_gain=torch.ones(1).double(),
        deviations=torch.tensor([2.0, 1.0]).double(),
        left_over=left_over,
        code_unit=1.0,
    )


def test_the_residual_deviation_is_the_mean_of_what_is_left_out():
    # left_over² is the variance left out over D features, all of it in D − K directions.
    assert residual_deviation(path(0.5)) ** 2 == pytest.approx(0.25 * D / (D - K))


def test_logits_start_at_pca_to_first_order():
    start, _ = LIKELIHOODS["bernoulli"].start(path())
    z = torch.tensor([[1e-3, 0.0]]).double()
    logits = z @ start.back_weight.T + start.back_bias
    expected = z @ path().back_weight.T + path().back_bias
    torch.testing.assert_close(torch.sigmoid(logits), expected, atol=1e-6, rtol=0)
