"""The mixture prior against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture

from narrows.objectives.priors import Mixture, Normal


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(n=900):
    X, y = make_blobs(n, centers=3, n_features=2, cluster_std=0.4, random_state=1)
    return torch.from_numpy(X), y


def test_it_fits_as_well_as_scikit_learns():
    Z, _ = blobs()
    theirs = GaussianMixture(32, max_iter=50, reg_covar=1e-4, random_state=0).fit(Z.numpy())
    assert float(Mixture.fit(Z, 0).log_prob(Z).mean()) == pytest.approx(
        theirs.score(Z.numpy()), abs=0.1
    )


def test_its_density_is_the_sum_of_its_parts():
    weights, means = torch.tensor([0.3, 0.7]).double(), torch.tensor([[0.0], [4.0]]).double()
    prior = Mixture(weights, means, torch.tensor([[[1.0]], [[0.25]]]).double())
    grid = torch.linspace(-10, 10, 20_001).double()[:, None]
    assert float(prior.log_prob(grid).exp().sum() * 0.001) == pytest.approx(1, abs=1e-3)


def test_samples_fall_where_codes_lie():
    Z, y = blobs()
    drawn = Mixture.fit(Z, 0).sample(600, generator())
    centres = np.stack([Z[y == c].mean(dim=0).numpy() for c in range(3)])
    distances = np.linalg.norm(drawn.numpy()[:, None] - centres, axis=2).min(axis=1)
    assert np.quantile(distances, 0.99) < 2.0
    one = Normal.fit(Z, 0).sample(600, generator()).numpy()
    assert np.quantile(np.linalg.norm(one[:, None] - centres, axis=2).min(axis=1), 0.5) > 2.0


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_codes_give_few_parts(n):
    Z = torch.randn(n, 4, generator=generator()).double()
    prior = Mixture.fit(torch.cat([Z, Z]), 0)
    assert len(prior.means) == 1
    assert torch.isfinite(prior.sample(3, generator())).all()
