"""Normal priors against scipy's densities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from narrows.objectives.priors import ClassNormals, Normal

K = 3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def codes(n=500):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=(n, K)) @ rng.normal(size=(K, K)) + 5)


def test_it_is_the_normal_distribution_of_the_codes():
    Z = codes()
    prior = Normal.fit(Z, 0)
    expected = multivariate_normal(Z.numpy().mean(axis=0), np.cov(Z.numpy().T)).logpdf(Z)
    np.testing.assert_allclose(prior.log_prob(Z), expected, rtol=1e-4)
    np.testing.assert_allclose(prior.deviations, Z.numpy().std(axis=0, ddof=1), rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_samples_have_its_moments_and_its_temperature(temperature):
    prior = Normal.fit(codes(), 0)
    drawn = prior.sample(20_000, generator(), temperature)
    np.testing.assert_allclose(drawn.mean(dim=0), prior.mean, atol=0.05)
    expected = temperature**2 * prior.factor @ prior.factor.T
    np.testing.assert_allclose(np.cov(drawn.numpy().T), expected, atol=0.1)


@pytest.mark.parametrize("Z", [torch.ones(5, K).double(), torch.ones(1, K).double()])
def test_codes_without_spread_still_have_a_density(Z):
    prior = Normal.fit(Z, 0)
    assert torch.isfinite(prior.log_prob(Z)).all()
    torch.testing.assert_close(prior.sample(4, generator()), torch.ones(4, K).double())


def test_without_classes_it_is_standard():
    Z = codes(20).float()
    prior = ClassNormals(K)
    np.testing.assert_allclose(prior.log_prob(Z), norm.logpdf(Z).sum(axis=1), rtol=1e-5)
    assert list(prior.parameters()) == []
    assert prior.sample(5000, generator()).std().item() == pytest.approx(1, abs=0.03)


def test_classes_have_their_own_and_together_they_are_a_mixture():
    prior = ClassNormals(K, (0.5, 0.5))
    with torch.no_grad():
        prior.means.copy_(torch.tensor([[1.0, 2, 3], [-4, 0, 4]]))
        prior.log_deviations.fill_(0.5)
    Z = codes(20).float()
    y = torch.arange(20) % 2
    each = np.stack([norm.logpdf(Z, m, np.exp(0.5)).sum(axis=1) for m in prior.means.detach()])
    np.testing.assert_allclose(prior.log_prob(Z, y).detach(), each[y, np.arange(20)], rtol=1e-5)
    expected = np.logaddexp(*each) - np.log(2)
    np.testing.assert_allclose(prior.log_prob(Z).detach(), expected, rtol=1e-5)


def test_a_class_can_be_drawn():
    prior = ClassNormals(K, (0.5, 0.5))
    with torch.no_grad():
        prior.means[1] = 100
        drawn = prior.sample(6, generator(), y=torch.tensor([0, 1, 0, 1, 1, 1]))
        mixed = prior.sample(1000, generator())
    assert ((drawn.mean(dim=1) > 50) == torch.tensor([0, 1, 0, 1, 1, 1]).bool()).all()
    assert 0.4 < (mixed.mean(dim=1) > 50).float().mean() < 0.6
