"""Every family keeps the contract of `Objective`; below it, what is peculiar to one family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from narrows.networks import MLP, Autoencoding, Widths
from narrows.objectives import Batch, Bounds, Reconstruction
from narrows.parts import PARTS
from narrows.scaling import Scaling

B, D, K = 24, 7, 3
FAMILIES = [pytest.param(family, id=name) for name, family in PARTS["objective"].items()]
BOUNDS = [None, Bounds(torch.tensor([-0.5]), torch.tensor([0.5]))]


def network(objective, seed=0):
    encoder_out, decoder_out = objective.output_sizes(D, K)
    encoder, decoder = MLP(hidden=(5,)).build(
        Widths(D, K, encoder_out, decoder_out), torch.Generator().manual_seed(seed)
    )
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), encoder, decoder)


def rows(n=B):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(1))


def gradients(net):
    return [p.grad.clone() for p in net.parameters()]


# ---------------------------------------------------------------- the contract


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_terms_are_one_finite_number_per_row(family, bounds):
    terms = family().terms(network(family()), Batch(rows()), bounds)
    assert terms
    for name, term in terms.items():
        assert isinstance(name, str)
        assert term.shape == (B,)
        assert torch.isfinite(term).all()


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_term_moves_a_parameter_at_default_settings(family, bounds):
    for name in family().terms(network(family()), Batch(rows()), bounds):
        net = network(family())
        family().terms(net, Batch(rows()), bounds)[name].sum().backward()
        moved = [p for p in net.parameters() if p.grad is not None and p.grad.abs().max() > 0]
        assert moved, name


@pytest.mark.parametrize("family", FAMILIES)
def test_splitting_a_batch_changes_gradients_by_rounding_only(family):
    x_BD, whole, parts = rows(), network(family()), network(family())
    torch.stack(tuple(family().terms(whole, Batch(x_BD), None).values())).sum().div(B).backward()
    for part in (x_BD[:1], x_BD[1:10], x_BD[10:]):
        terms = family().terms(parts, Batch(part), None)
        torch.stack(tuple(terms.values())).sum().div(B).backward()
    for one, other in zip(gradients(whole), gradients(parts), strict=True):
        assert torch.linalg.norm(one - other) <= 1e-5 * torch.linalg.norm(one)


@pytest.mark.parametrize("family", FAMILIES)
def test_codes_and_reconstructions_have_their_shapes_and_no_chance(family):
    objective, net = family(), network(family())
    z_BK = objective.code(net, rows())
    assert z_BK.shape == (B, K)
    assert objective.reconstruction(net, z_BK).shape == (B, D)
    assert torch.equal(z_BK, objective.code(net, rows()))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_what_it_is(family):
    assert family.name in PARTS["objective"]
    assert family() == family(**family().get_params())
    for word in ("Reference", "Not for"):
        assert word in family.__doc__


# ---------------------------------------------------------------- reconstruction


class Given(nn.Module):
    """A decoder that gives the same output whatever the code."""

    def __init__(self, a_BD):
        super().__init__()
        self.a_BD = nn.Parameter(a_BD)

    def forward(self, z):
        return self.a_BD


def loss_of(a_BD, x_BD, bounds):
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), Given(a_BD))
    terms = Reconstruction().terms(net, Batch(x_BD), bounds)
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
    net = network(Reconstruction()).to(torch.bfloat16)
    terms = Reconstruction().terms(net, Batch(rows().bfloat16()), None)
    assert terms["reconstruction"].dtype == torch.float32
