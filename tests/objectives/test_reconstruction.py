"""The plain autoencoder: its losses against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from conftest import curved, quick
from narrows.linear.scaling import Scaling
from narrows.networks import MLP, Autoencoding, Widths
from narrows.objectives import Batch, Bounds, Reconstruction, Step

B, D = 24, 7


class Given(nn.Module):
    """A decoder that gives the same output whatever the code."""

    def __init__(self, a_BD):
        super().__init__()
        self.a_BD = nn.Parameter(a_BD)

    def forward(self, z):
        return self.a_BD


def loss_of(a_BD, x_BD, bounds, error="squared"):
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), Given(a_BD))
    terms = Reconstruction(error).terms(net, Batch(x_BD), Step({}, bounds))
    (loss,) = terms.values()
    return net.decoder.a_BD, loss


def pixels():
    generator = torch.Generator().manual_seed(0)
    x_BD = torch.rand(B, D, generator=generator).round(decimals=1)
    return torch.randn(B, D, generator=generator) * 2, x_BD


UNIT = Bounds(torch.tensor([0.0]), torch.tensor([1.0]))
PER_COLUMN = Bounds(torch.zeros(D), torch.linspace(0.5, 1.5, D))


def test_without_bounds_it_is_the_squared_error():
    a_BD, x_BD = pixels()
    expected = nn.functional.mse_loss(a_BD, x_BD, reduction="none").mean(dim=1)
    torch.testing.assert_close(loss_of(a_BD, x_BD, None)[1], expected)


@pytest.mark.parametrize("bounds", [UNIT, PER_COLUMN])
def test_inside_the_bounds_it_is_the_squared_error(bounds):
    a_BD, x_BD = pixels()
    a_BD = a_BD.clamp(bounds.low, bounds.high)
    torch.testing.assert_close(loss_of(a_BD, x_BD, bounds)[1], (a_BD - x_BD).square().mean(dim=1))


@pytest.mark.parametrize("bounds", [UNIT, PER_COLUMN])
def test_outside_the_bounds_it_is_never_below_the_clipped_error(bounds):
    a_BD, x_BD = pixels()
    x_BD = torch.minimum(x_BD, bounds.high)
    clipped = (a_BD.clamp(bounds.low, bounds.high) - x_BD).square().mean(dim=1)
    loss = loss_of(a_BD, x_BD, bounds)[1]
    assert (loss >= clipped - 1e-6).all()
    assert (loss > clipped + 1e-3).any()


@pytest.mark.parametrize("bounds", [UNIT, PER_COLUMN])
def test_its_gradient_is_that_of_the_matching_loss(bounds):
    a_BD, x_BD = pixels()
    parameter, loss = loss_of(a_BD, x_BD, bounds)
    loss.sum().backward()
    expected = 2 * (a_BD.clamp(bounds.low, bounds.high) - x_BD) / D
    torch.testing.assert_close(parameter.grad, expected)


def test_it_asks_nothing_of_an_output_that_clipping_sets_right():
    x_BD = torch.tensor([[0.0, 1.0]])
    parameter, loss = loss_of(torch.tensor([[-40.0, 30.0]]), x_BD, UNIT)
    loss.sum().backward()
    assert loss.item() == 0
    assert parameter.grad.tolist() == [[0.0, 0.0]]


def test_it_is_computed_in_float32_whatever_the_network_computes_in():
    parts = MLP(hidden=(5,)).build(Widths(D, 3, 3, D), torch.Generator().manual_seed(0))
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), *parts).to(torch.bfloat16)
    terms = Reconstruction().terms(net, Batch(torch.randn(B, D).bfloat16()), Step({}))
    assert terms["reconstruction"].dtype == torch.float32


# ---------------------------------------------------------------- the absolute error


@pytest.mark.parametrize("bounds", [None, UNIT, PER_COLUMN])
def test_inside_the_bounds_the_absolute_error_is_just_that(bounds):
    a_BD, x_BD = pixels()
    a_BD = a_BD if bounds is None else a_BD.clamp(bounds.low, bounds.high)
    expected = nn.functional.l1_loss(a_BD, x_BD, reduction="none").mean(dim=1)
    torch.testing.assert_close(loss_of(a_BD, x_BD, bounds, "absolute")[1], expected)


@pytest.mark.parametrize("bounds", [UNIT, PER_COLUMN])
def test_the_absolute_error_asks_for_what_clipping_does_not_set_right(bounds):
    a_BD, x_BD = pixels()
    x_BD = torch.minimum(x_BD, bounds.high)
    c_BD = a_BD.clamp(bounds.low, bounds.high)
    parameter, loss = loss_of(a_BD, x_BD, bounds, "absolute")
    loss.sum().backward()
    torch.testing.assert_close(parameter.grad, torch.sign(c_BD - x_BD) / D)
    assert (loss >= (c_BD - x_BD).abs().mean(dim=1) - 1e-6).all()
    assert ((c_BD == x_BD) & (a_BD != c_BD)).any()


def test_a_few_far_off_values_lead_the_absolute_error_astray_less():
    X, clean = curved(800), curved(400, seed=1)
    rng = np.random.default_rng(0)
    struck = np.where(rng.random(X.shape) < 0.03, X + rng.choice([-60, 60], X.shape), X)
    squared, absolute = (
        quick(3, objective=Reconstruction(error), max_steps=400, learning_rate=0.01).fit(struck)
        for error in ("squared", "absolute")
    )
    one, other = (np.abs(ae.reconstruct(clean) - clean).mean() for ae in (squared, absolute))
    assert other < 0.8 * one


# ---------------------------------------------------------------- the cross-entropy


def test_the_cross_entropy_is_torchs_in_nats_per_sample():
    a_BD, x_BD = pixels()
    expected = nn.functional.binary_cross_entropy_with_logits(a_BD, x_BD, reduction="none")
    torch.testing.assert_close(loss_of(a_BD, x_BD, None, "bernoulli")[1], expected.sum(dim=1))
    assert Reconstruction.units["cross_entropy"] == "nats per row"


def test_the_cross_entropy_has_probabilities_for_reconstructions_and_asks_for_their_range():
    a_BD, _ = pixels()
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), Given(a_BD))
    objective = Reconstruction("bernoulli")
    torch.testing.assert_close(objective.reconstruction(net, a_BD), torch.sigmoid(a_BD))
    assert objective.needs.input_range == (0, 1)
    for error in ("squared", "absolute"):
        assert Reconstruction(error).needs.input_range is None


def two_valued(n_rows, seed=0):
    """Rows of 0 and 1 that two hidden numbers make likely."""
    rng = np.random.default_rng(seed)
    logits = 4 * rng.normal(size=(n_rows, 2)) @ np.random.default_rng(9).normal(size=(2, 12))
    return (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)


def cross_entropy(ae, X):
    p = ae.reconstruct(X).clip(1e-6, 1 - 1e-6)
    return -(X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1).mean()


def test_the_start_of_the_cross_entropy_already_tells_more_than_the_mean():
    X = two_valued(400)
    objective = Reconstruction("bernoulli")
    start = quick(2, objective=objective, max_steps=1, learning_rate=1e-9, keep="last").fit(X)
    trained = quick(2, objective=objective, max_steps=300, learning_rate=0.01).fit(X)
    p = X.mean(axis=0)
    of_the_mean = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    new = two_valued(400, seed=1)
    assert cross_entropy(trained, new) < 0.9 * cross_entropy(start, new)
    assert cross_entropy(start, new) < 0.8 * of_the_mean


@pytest.mark.parametrize("error", ["absolute", "bernoulli"])
def test_the_best_state_is_chosen_by_the_error_asked_for(error):
    a_BD, x_BD = pixels()
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), Given(a_BD))
    objective = Reconstruction(error)
    x_hat = objective.reconstruction(net, a_BD).detach().clamp(0, 1)
    found = objective.held_out_loss(net, Batch(x_BD), Step({}, UNIT), x_hat)
    if error == "absolute":
        expected = (x_hat - x_BD).abs().mean(dim=1)
    else:
        each = nn.functional.binary_cross_entropy(x_hat, x_BD, reduction="none")
        expected = each.sum(dim=1)
    torch.testing.assert_close(found, expected)
