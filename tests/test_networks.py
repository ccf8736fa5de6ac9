"""Every architecture keeps the contract of `Network`; each has a file of its own for the rest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from narrows.networks import Widths
from narrows.parts import PARTS

NETWORKS = [pytest.param(network, id=name) for name, network in PARTS["network"].items()]
WIDTHS = [Widths(784, 128, 128, 784), Widths(6, 2, 4, 6), Widths(1, 1, 1, 1), Widths(3, 9, 9, 3)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- the contract


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("network", NETWORKS)
def test_encoder_and_decoder_have_their_widths(network, widths):
    encoder, decoder = network().resolved(widths, 1000).build(widths, generator())
    assert encoder(torch.zeros(3, widths.features)).shape == (3, widths.encoder_out)
    assert decoder(torch.zeros(3, widths.code)).shape == (3, widths.decoder_out)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("network", NETWORKS)
def test_parameters_are_counted_before_anything_is_built(network, widths):
    resolved = network().resolved(widths, 1000)
    built = nn.ModuleList(resolved.build(widths, generator()))
    assert resolved.n_parameters(widths) == sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_resolved_stays_as_it_is(network):
    resolved = network().resolved(WIDTHS[0], 1000)
    assert resolved.resolved(WIDTHS[1], 10) == resolved
    assert resolved.resolved(WIDTHS[0], 1000) == network().resolved(WIDTHS[0], 1000)


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_are_drawn_from_the_generator_alone(network):
    resolved = network().resolved(WIDTHS[1], 1000)
    before = torch.get_rng_state()
    first, same, other = (
        nn.ModuleList(resolved.build(WIDTHS[1], generator(seed))) for seed in (3, 3, 4)
    )
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(first.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two in pairs)
    pairs = list(zip(first.parameters(), other.parameters(), strict=True))
    assert not any(torch.equal(one, two) for one, two in pairs if one.ndim > 1)
