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


def test_classes_start_with_the_moments_of_their_codes():
    means = 3 * torch.randn(500, 2, generator=generator()) + torch.tensor([1.0, -2.0])
    log_variances, y = torch.randn(500, 2, generator=generator(1)), torch.arange(500) % 2
    prior = ClassNormals(2, (0.4, 0.4, 0.2))  # of the third class no row is here
    prior.meet_classes(zip(means.split(70), log_variances.split(70), y.split(70), strict=True))
    found, within = prior.log_deviations.detach().exp().square(), []
    for label in (0, 1):
        own, variances = means[y == label], log_variances[y == label].exp()
        within.append(own.var(dim=0, correction=0) + variances.mean(dim=0))
        torch.testing.assert_close(prior.means[label].detach(), own.mean(dim=0))
        torch.testing.assert_close(found[label], within[-1], rtol=0.01, atol=0)
    torch.testing.assert_close(prior.means[2].detach(), means.mean(dim=0))
    torch.testing.assert_close(found[2], torch.stack(within).mean(dim=0))


def test_a_class_of_one_row_has_half_the_variance_of_the_others():
    means = torch.cat([torch.randn(400, 1, generator=generator()), torch.ones(1, 1)])
    y = torch.cat([torch.zeros(400), torch.ones(1)]).long()
    prior = ClassNormals(1, (400 / 401, 1 / 401))
    prior.meet_classes([(means, torch.full_like(means, -14.0), y)])
    expected = float(means[:400].var()) / 2
    assert float(prior.log_deviations[1].detach().exp()) ** 2 == pytest.approx(expected, rel=0.01)
