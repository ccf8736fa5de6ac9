"""The plain autoencoder: its loss against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from narrows.networks import MLP, Autoencoding, Widths
from narrows.objectives import Batch, Bounds, Reconstruction, Step
from narrows.scaling import Scaling

B, D = 24, 7


class Given(nn.Module):
    """A decoder that gives the same output whatever the code."""

    def __init__(self, a_BD):
        super().__init__()
        self.a_BD = nn.Parameter(a_BD)

    def forward(self, z):
        return self.a_BD


def loss_of(a_BD, x_BD, bounds):
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), Given(a_BD))
    terms = Reconstruction().terms(net, Batch(x_BD), Step({}, bounds))
    return net.decoder.a_BD, terms["reconstruction"]


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
