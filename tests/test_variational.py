"""What the variational families share, against torch's distributions and probabilistic PCA."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import Normal, kl_divergence

from conftest import quick
from narrows import IWAE, MLP, VAE, evaluate
from narrows.errors import NarrowsWarning, ParameterError
from narrows.evaluation.density import measure_density
from narrows.objectives.priors import ClassNormals
from narrows.objectives.shared.variational import log_posterior, seen

B, K = 7, 3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def factors(n_rows=400, n_features=6, n_factors=2, seed=0):
    """Rows of a linear-Gaussian model: a few factors, and noise alike in all features."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_factors, n_features)) * 2
    noise = rng.normal(size=(n_rows, n_features)) * 0.5
    return rng.normal(size=(n_rows, n_factors)) @ loadings + noise + 3


def moments():
    return torch.randn(B, K, generator=generator()), torch.randn(B, K, generator=generator(1))


def test_kl_is_torchs():
    mean, log_variance = moments()
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0, 1))
    found = ClassNormals(K).kl(mean, log_variance, None)
    torch.testing.assert_close(found, expected)


def test_kl_to_a_class_is_torchs():
    mean, log_variance = moments()
    prior, y = ClassNormals(K, (0.5, 0.5)), torch.arange(B) % 2
    with torch.no_grad():
        prior.means.copy_(torch.randn(2, K, generator=generator(2)))
        prior.log_deviations.copy_(torch.randn(2, K, generator=generator(3)))
        found = prior.kl(mean, log_variance, y)
    given = Normal(prior.means[y], prior.log_deviations[y].exp())
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), given)
    torch.testing.assert_close(found, expected.detach())


def test_the_posteriors_density_is_torchs():
    mean, log_variance = moments()
    noise = torch.randn(B, K, generator=generator(4))
    deviation = (0.5 * log_variance).exp()
    expected = Normal(mean, deviation).log_prob(mean + deviation * noise).sum(dim=1)
    torch.testing.assert_close(log_posterior(noise, log_variance), expected)


def test_pixels_are_drawn_by_their_grey_value():
    x = torch.tensor([[0.0, 0.25, 1.0]]).expand(4000, 3)
    drawn = seen(x, {"threshold": torch.rand(x.shape, generator=generator())})
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(dim=0), [0, 0.25, 1], atol=0.03)
    assert seen(x, {}) is x


# ---------------------------------------------------------------- probabilistic PCA


def started(objective, X, **changes):
    """A model at its start: the step taken is not kept."""
    given = {"max_steps": 1, "learning_rate": 1e-30, "keep": "last", "validation_fraction": 0.0}
    return quick(2, objective=objective, **{**given, **changes}).fit(X)


@pytest.mark.parametrize("unit", [1.0, 1000.0])
@pytest.mark.parametrize("objective", [VAE(), IWAE()])
def test_training_starts_at_probabilistic_pca(objective, unit):
    X = factors() * unit
    expected = PCA(2).fit(X).score(X)
    found = measure_density(started(objective, X), X)
    # Its posterior is exact there, so every importance weight is the likelihood itself.
    assert found.log_likelihood == pytest.approx(expected, abs=0.01)
    assert found.elbo == pytest.approx(expected, abs=0.01)
    assert found.standard_error < 1e-3


@pytest.mark.parametrize(
    ("objective", "steps"),
    [
        (VAE(warm_up=0.0), 3000),
        pytest.param(VAE(prior="flow"), 1000, marks=pytest.mark.long),
    ],
)
def test_a_linear_vae_trained_from_chance_ends_at_probabilistic_pca(objective, steps):
    X = factors(n_rows=1000)
    ae = quick(
        2,
        objective=objective,
        init="random",
        network=MLP(hidden=()),
        max_steps=steps,
        learning_rate=0.03,
        schedule="cosine",
        optimizer="adam",
        validation_fraction=0.0,
        keep="last",
    ).fit(X)
    expected = PCA(2).fit(X).score(X)
    found = measure_density(ae, X, n_samples=200)
    assert found.elbo == pytest.approx(expected, abs=0.05)
    assert found.log_likelihood == pytest.approx(expected, abs=0.05)


def test_importance_sampling_finds_the_exact_likelihood_within_its_error():
    X = factors()
    ae = started(VAE(), X)
    exact = PCA(2).fit(X).score(X)
    # A posterior that is wrong in mean and width, while p(x, z) stays what it was.
    with torch.no_grad():
        ae.network_.encoder.bias += torch.tensor([0.3, -0.3, 0.5, 0.5])
    found = measure_density(ae, X, n_samples=2000)
    assert found.elbo < exact - 0.1
    assert 0 < found.standard_error < 0.05
    assert abs(found.log_likelihood - exact) < 4 * found.standard_error + 0.01


def test_units_of_the_data_change_a_density_by_the_log_determinant():
    X = factors()
    one, other = (measure_density(started(VAE(), unit * X), unit * X) for unit in (1.0, 10.0))
    expected = X.shape[1] * np.log(10)
    assert one.log_likelihood - other.log_likelihood == pytest.approx(expected, abs=1e-3)


def test_kl_and_reconstruction_make_the_bound():
    X = factors()
    ae = started(VAE(), X)
    found = measure_density(ae, X, n_samples=500)
    row = ae.history_[-1]
    assert found.kl == pytest.approx(row["kl"], abs=0.05) if row["kl"] else True
    assert found.active_units == 2
    assert found.n_samples == 500


def test_an_idle_number_is_not_active():
    X = factors(n_factors=1)
    pruned = VAE(beta=4, warm_up=0.0)
    ae = quick(3, objective=pruned, max_steps=1500, learning_rate=0.01, keep="last").fit(X)
    assert measure_density(ae, X).active_units == 1


def test_evaluate_reports_the_density_of_probabilistic_families_alone():
    X = factors(60)
    report = evaluate(started(VAE(), X), X)
    assert report.density == measure_density(started(VAE(), X), X, n_samples=50)
    assert "50 importance samples" in str(report)
    assert report.as_dict()["density"]["n_samples"] == 50
    assert evaluate(started(VAE(), X), X, importance_samples=0).density is None
    assert evaluate(quick(max_steps=2).fit(X), X).density is None
    alone = evaluate(started(VAE(), X), X, importance_samples=1)
    assert math.isnan(alone.density.standard_error)
    assert "± " not in str(alone).split("log-likelihood")[1].splitlines()[0]
    with pytest.raises(ParameterError, match="importance_samples"):
        evaluate(started(VAE(), X), X, importance_samples=-1)


def test_families_without_a_density_say_so():
    X = factors(60)
    with pytest.raises(ParameterError, match="'vae' or 'iwae'"):
        measure_density(quick(max_steps=2).fit(X), X)
    with pytest.raises(ParameterError, match="n_samples"):
        measure_density(started(VAE(), X), X, n_samples=0)


# ---------------------------------------------------------------- collapse


def test_a_collapsed_code_is_named_with_what_to_type():
    X = factors(n_factors=1)
    ae = quick(objective=VAE(beta=200, warm_up=0.0), init="random", max_steps=300, keep="last")
    with pytest.warns(NarrowsWarning, match=r"collapsed to the prior.*objective__beta=50"):
        ae.fit(X)
    assert measure_density(ae, X).active_units == 0


def test_noise_is_not_called_a_collapse():
    X = np.random.default_rng(0).normal(size=(300, 6))
    quick(objective=VAE(beta=200, warm_up=0.0), init="random", max_steps=300, keep="last").fit(X)
