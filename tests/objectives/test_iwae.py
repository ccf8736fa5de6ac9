"""The importance-weighted bound: its value, and its gradients against plain ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from conftest import curved, quick
from narrows import IWAE, VAE
from narrows.evaluation.density import measure_density
from narrows.linear.scaling import Scaling
from narrows.networks import MLP, Autoencoding, Widths
from narrows.objectives import Batch, Step

B, D, K = 5, 6, 2


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    widths = Widths(D, K, 2 * K, D, (D,))
    parts = MLP(hidden=(5,)).build(widths, generator)
    extra = IWAE().build(widths, None, generator)
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), *parts, extra=extra)


def rows():
    return torch.randn(B, D, generator=torch.Generator().manual_seed(1))


def bound(net, epsilon_BSK):
    step = Step({"epsilon": epsilon_BSK})
    return IWAE(n_samples=epsilon_BSK.shape[1]).terms(net, Batch(rows()), step)["bound"]


def draws(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def test_with_one_sample_it_is_the_elbo():
    net, epsilon = network(), draws(B, 1, K)
    vae = VAE(prior="flow")  # whose KL term is taken at the code that was drawn
    flow = vae.build(Widths(D, K, 2 * K, D), None, torch.Generator().manual_seed(0))
    same = Autoencoding(net.scaling, net.encoder, net.decoder, extra=flow)
    terms = vae.terms(same, Batch(rows()), Step({"epsilon": epsilon[:, 0]}))
    torch.testing.assert_close(bound(net, epsilon), terms["reconstruction"] + terms["kl"])


def test_its_value_is_the_log_of_the_mean_weight():
    net, epsilon = network(), draws(B, 7, K)
    weights, _ = IWAE().log_weights(net, rows(), epsilon.transpose(0, 1))
    expected = math.log(7) - torch.logsumexp(weights, dim=0)
    torch.testing.assert_close(bound(net, epsilon), expected)


def test_more_samples_give_a_tighter_bound():
    net, epsilon = network(), draws(B, 2000, K)
    means = [bound(net, epsilon[:, :n]).mean().item() for n in (1, 10, 2000)]
    with torch.no_grad():
        one = torch.stack([bound(net, epsilon[:, i : i + 1]) for i in range(500)]).mean().item()
    assert means[2] < one


def test_gradients_of_the_decoder_are_those_of_the_bound():
    net, epsilon = network(), draws(B, 6, K)
    found = torch.autograd.grad(bound(net, epsilon).sum(), list(net.decoder.parameters()))
    weights, _ = IWAE().log_weights(net, rows(), epsilon.transpose(0, 1))
    plain = -torch.logsumexp(weights, dim=0).sum()
    expected = torch.autograd.grad(plain, list(net.decoder.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_gradients_of_the_encoder_have_the_same_mean_and_less_noise():
    net, n_draws = network(), 1000
    doubly, plain = [], []
    for number in range(n_draws):
        epsilon = torch.randn(B, 4, K, generator=torch.Generator().manual_seed(number))
        last = net.encoder[-1].weight
        doubly.append(torch.autograd.grad(bound(net, epsilon).sum(), last)[0])
        weights, _ = IWAE().log_weights(net, rows(), epsilon.transpose(0, 1))
        plain.append(torch.autograd.grad(-torch.logsumexp(weights, dim=0).sum(), last)[0])
    one, other = torch.stack(doubly), torch.stack(plain)
    error = ((one.var(dim=0) + other.var(dim=0)) / n_draws).sqrt()
    assert ((one.mean(dim=0) - other.mean(dim=0)).abs() < 5 * error).all()
    assert one.var(dim=0).sum() < other.var(dim=0).sum()


def test_it_trains():
    X = curved(600)
    ae = quick(2, objective=IWAE(n_samples=8), max_steps=300, learning_rate=0.005).fit(X)
    start = quick(2, objective="iwae", max_steps=1, learning_rate=1e-30, keep="last").fit(X)
    gain = measure_density(ae, X).log_likelihood - measure_density(start, X).log_likelihood
    assert gain > 1.0
    assert ae.best_step_ > 0
    assert pytest.approx(ae.history_[-1]["bound"]) == ae.history_[-1]["loss"]
