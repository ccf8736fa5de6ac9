"""The variational autoencoder: its terms, its priors, its classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from conftest import curved, quick
from narrows import VAE, load
from narrows.errors import DataError, ParameterError
from narrows.linear.scaling import Scaling
from narrows.networks import MLP, Autoencoding
from narrows.objectives import Batch, Reconstruction, Step
from narrows.training.judge import choose, dealt
from narrows.training.loop import drawn

B, D, K = 9, 6, 3


def network(objective, shares=()):
    generator = torch.Generator().manual_seed(0)
    widths = objective.widths(D, K, sample_shape=(D,), class_shares=shares)
    parts = MLP(hidden=(5,)).build(widths, generator)
    extra = objective.build(widths, None, generator)
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), *parts, extra=extra)


def rows():
    return torch.rand(B, D, generator=torch.Generator().manual_seed(1))


def terms(objective, net, progress=1.0, y=None, **noise):
    step = Step({**drawn(objective, rows(), K, (0,)), **noise}, None, progress)
    return objective.terms(net, Batch(rows(), y), step)


def test_at_beta_0_without_noise_it_is_the_autoencoder():
    objective = VAE(beta=0)
    net = network(objective)
    found = terms(objective, net, epsilon=torch.zeros(B, K))
    assert not found["kl"].any()
    x_hat = objective.reconstruction(net, objective.code(net, rows()))
    variance = math.exp(2 * net.extra.log_scale.item())
    squares = (x_hat - rows()).square().mean(dim=1)
    expected = D * (squares / (2 * variance) + 0.5 * math.log(2 * math.pi * variance))
    torch.testing.assert_close(found["reconstruction"], expected)
    assert objective.widths(D, K).encoder_out == 2 * Reconstruction().widths(D, K).encoder_out


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.7, 1.0)])
def test_the_kl_term_rises_to_beta(progress, weight):
    objective = VAE(beta=3, warm_up=0.2)
    net = network(objective)
    whole = terms(VAE(beta=1, warm_up=0.0), net, progress)["kl"]
    torch.testing.assert_close(terms(objective, net, progress)["kl"], 3 * weight * whole)
    assert (whole > 0).all()


def test_the_held_out_loss_is_the_whole_bound_whatever_the_progress():
    objective = VAE(warm_up=0.5)
    net = network(objective)
    step = Step(drawn(objective, rows(), K, (0,)), None, 0.0)
    loss = objective.held_out_loss(net, Batch(rows()), step, rows())
    torch.testing.assert_close(loss, sum(terms(objective, net).values()))


def test_kl_is_never_clamped_unless_asked_for():
    free = VAE(free_bits=100.0)
    net = network(free)
    assert terms(free, net)["kl"].tolist() == [100.0 * K] * B
    assert torch.autograd.grad(terms(VAE(), net)["kl"].sum(), net.encoder[-1].weight)[0].any()


def test_with_a_flow_the_kl_term_is_unbiased():
    normal, flow = VAE(), VAE(prior="flow")
    net = network(flow)  # an untrained flow is N(0, 1)
    exact = terms(normal, network(normal))["kl"]
    draws = torch.randn(1000, B, K, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = torch.stack([terms(flow, net, epsilon=draw)["kl"] for draw in draws])
    error = found.std(dim=0) / math.sqrt(len(draws))
    assert ((found.mean(dim=0) - exact).abs() < 5 * error).all()


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "logistic"])
def test_pixels_are_scaled_to_what_the_likelihood_needs(likelihood):
    X = load_digits().data.astype(np.uint8) * 16  # 0 to 255
    X = np.minimum(X, 255).astype(np.uint8)[:200]
    ae = quick(4, objective=VAE(likelihood=likelihood), max_steps=150).fit(X)
    assert ae.bounds_ == (0, 255)
    scaled = ae.network_.scaling(torch.from_numpy(X.astype(np.float64)))
    if likelihood != "gaussian":
        assert (float(scaled.min()), float(scaled.max())) == (0, 240 / 255)
    X_hat = ae.reconstruct(X)
    assert X_hat.min() >= 0
    assert X_hat.max() <= 255
    assert np.square(X_hat - X).mean() < 0.8 * X.var(axis=0).mean()


def test_a_scaling_that_leaves_the_range_is_refused(X):
    with pytest.raises(ParameterError, match="scaling='auto'"):
        quick(objective=VAE(likelihood="bernoulli"), scaling="standard").fit(X)


def test_training_beats_its_start(X):
    X = curved(900)
    ae = quick(2, objective=VAE(), max_steps=500, learning_rate=0.005, network=MLP(hidden=(64,)))
    ae.fit(X)
    assert ae.best_step_ > 0
    assert ae.validation_error_ < 0.7 * ae.pca_validation_error_


@pytest.mark.long
def test_samples_follow_the_data():
    X, objective = curved(900), VAE(prior="flow")
    ae = quick(3, objective=objective, max_steps=1000, learning_rate=0.005)
    drawn = ae.set_params(network=MLP(hidden=(64,))).fit(X).sample(4000, random_state=0)
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.6)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(X.T), atol=4)


def test_a_flow_learns_with_the_model():
    X = curved(900)
    ae = quick(2, objective=VAE(prior="flow"), max_steps=100, keep="last").fit(X)
    assert any(p.abs().max() > 1e-3 for p in ae.network_.extra.prior.couplings[0].parameters())
    assert ae.sample(3, prior="auto").shape == ae.sample(3, prior="flow").shape == (3, 6)


# ---------------------------------------------------------------- classes


@pytest.fixture(scope="module")
def two_moods():
    """Two clusters with names, and a model that knows them."""
    rng = np.random.default_rng(0)
    y = np.array(["calm", "wild"])[(np.arange(400) % 4 == 0).astype(int)]
    centre = np.where(y == "wild", 8.0, 0.0)[:, None]
    X = centre + rng.normal(size=(400, 5)) * np.array([1, 1, 1, 0.3, 0.3])
    objective = VAE(conditional=True)
    ae = quick(2, objective=objective, max_steps=800, learning_rate=0.01, keep="last").fit(X, y)
    return ae, X, y


@pytest.mark.parametrize(("y", "mean"), [("calm", 0.0), ("wild", 8.0)])
def test_a_class_can_be_sampled(two_moods, y, mean):
    ae, _, _ = two_moods
    assert ae.sample(300, y=y, random_state=0).mean() == pytest.approx(mean, abs=0.7)


def test_without_a_class_samples_are_as_frequent_as_in_the_data(two_moods):
    ae, _, y = two_moods
    drawn = ae.sample(1000, random_state=0).mean(axis=1)
    assert (drawn > 4).mean() == pytest.approx((y == "wild").mean(), abs=0.06)


def test_classes_may_be_given_row_by_row_and_survive_the_file(two_moods, tmp_path):
    ae, X, _ = two_moods
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    drawn = again.sample(3, y=["wild", "calm", "wild"], random_state=0).mean(axis=1)
    assert (drawn > 4).tolist() == [True, False, True]
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ae: ae.sample(2, y="sad"), "'sad', a class that `fit` did not see"),
        (lambda ae: ae.sample(2, y=["calm"]), "one for each of 2 rows"),
        (lambda ae: ae.sample(2, y="calm", prior="mixture"), "knows no classes"),
        (lambda ae: ae.sample(2, prior="normall"), "Did you mean 'normal'"),
        (lambda ae: ae.sample(0), "`n` of sample must be an integer ≥ 1, got 0"),
        (lambda ae: ae.sample(2, temperature=-1), "`temperature` of sample must be"),
    ],
)
def test_wrong_samples_say_what_is_right(two_moods, call, words):
    with pytest.raises((DataError, ParameterError), match=words):
        call(two_moods[0])


def test_classes_must_be_given_and_only_where_they_are_used(X):
    conditional = quick(objective=VAE(conditional=True), max_steps=4)
    with pytest.raises(DataError, match=r"fit\(X, y\)"):
        conditional.fit(X)
    with pytest.raises(DataError, match="one label per row"):
        conditional.fit(X, [1, 2])
    with pytest.raises(DataError, match="missing"):
        conditional.fit(X, np.full(len(X), np.nan))
    plain = quick(objective="vae", max_steps=4).fit(X, np.arange(len(X)))
    with pytest.raises(ParameterError, match="conditional=True"):
        plain.sample(2, y=1)


def test_training_goes_on_with_known_classes_alone(X):
    y = np.arange(len(X)) % 3
    ae = quick(objective=VAE(conditional=True)).partial_fit(X, y)
    ae.partial_fit(X[:50], y[:50])
    with pytest.raises(DataError, match="did not see"):
        ae.partial_fit(X[:50], y[:50] + 7)


def test_rows_that_pca_gives_back_still_have_a_distribution_to_learn():
    # Of rank 2, so that PCA's error is nothing, and the start's density very high.
    y = np.arange(100) % 2
    scores = np.random.default_rng(0).normal(size=(100, 2)) + 3 * y[:, None]
    X = scores @ np.array([[1.0, 0.5, -1.0, 0.2], [0.0, 1.0, 0.5, -0.7]])
    ae = quick(2, objective=VAE(conditional=True), keep="last").fit(X, y)
    assert ae.history_
    first, second = (ae.sample(50, y=label, random_state=0) for label in (0, 1))
    assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_whether_a_gain_stands_out_does_not_depend_on_the_unit(unit):
    X = curved(400, seed=3)
    here, there = (
        quick(objective="vae", max_steps=40, validation_fraction=0.3).fit(rows)
        for rows in (X, unit * X)
    )
    assert here.best_step_ == there.best_step_


def test_gains_in_nats_are_not_taken_relative_to_them():
    before = np.linspace(10, 1_000, 200)  # rows differ far more than what each gains
    after = before - np.where(np.arange(200) % 3 == 0, -1.0, 1.0)
    losses = np.stack([before, after])
    assert choose(losses, dealt(200, 0), absolute=True).leaves_start
    assert not choose(losses, dealt(200, 0)).leaves_start
    assert VAE().needs.absolute_gains


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_a_network_with_squashed_ends_is_refused(likelihood):
    X = np.random.default_rng(0).random((40, 6))
    network = MLP(hidden=(8,), output_activation="sigmoid")
    with pytest.raises(ParameterError, match="must be linear"):
        quick(objective=VAE(likelihood=likelihood), network=network, init="random").fit(X)
