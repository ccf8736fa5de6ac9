"""Every architecture keeps the contract of `Network`; each has a file of its own for the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from conftest import bits, quick
from narrows import load
from narrows.model.parts import PARTS
from narrows.networks import LinearPlus, Widths

NETWORKS = [pytest.param(network, id=name) for name, network in PARTS["network"].items()]
PICTURES = [(28, 28), (7, 5), (9, 12, 3), (5, 5, 8), (1, 6), (1, 1)]


def widths_of(shape, code=3, times=1):
    """Widths for pictures of a shape; a family may ask for several numbers per value."""
    features = math.prod(shape)
    return Widths(features, code, times * code, times * features, shape)


WIDTHS = [
    *(pytest.param(widths_of(shape), id=str(shape)) for shape in PICTURES),
    pytest.param(widths_of((7, 5), code=2, times=2), id="two numbers for each"),
    pytest.param(widths_of((28, 28), code=128), id="a long code"),
    pytest.param(widths_of((1, 3), code=9), id="overcomplete"),
]
ONE, OTHER = widths_of((7, 5)), widths_of((9, 12, 3))
each_network = pytest.mark.parametrize("network", NETWORKS)
all_widths = pytest.mark.parametrize("widths", WIDTHS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(network, widths, seed=0):
    modules = network().resolved(widths, 1000).build(widths, generator(seed))
    return tuple(module.eval() for module in modules)


def rows(n_rows, width):
    return torch.randn(n_rows, width, generator=generator(1))


def pictures(shape, n_rows=200):
    """Pictures that a sheet of few dimensions explains, with the channels last."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(3, math.prod(shape)))
    return (np.tanh(rng.normal(size=(n_rows, 3))) @ basis).reshape(n_rows, *shape)


# ---------------------------------------------------------------- what is built


@all_widths
@each_network
def test_encoder_and_decoder_have_their_widths(network, widths):
    encoder, decoder = built(network, widths)
    assert encoder(rows(3, widths.features)).shape == (3, widths.encoder_out)
    assert decoder(rows(3, widths.code)).shape == (3, widths.decoder_out)


@all_widths
@each_network
def test_parameters_are_counted_before_anything_is_built(network, widths):
    modules = nn.ModuleList(built(network, widths))
    resolved = network().resolved(widths, 1000)
    assert resolved.n_parameters(widths) == sum(p.numel() for p in modules.parameters())
    assert resolved.n_products(widths) >= widths.encoder_out


@each_network
def test_what_is_resolved_stays_as_it_is(network):
    resolved = network().resolved(ONE, 1000)
    assert resolved.resolved(OTHER, 10) == resolved
    assert resolved.resolved(ONE, 1000) == network().resolved(ONE, 1000)


@pytest.mark.parametrize("widths", [ONE, OTHER])
@each_network
def test_weights_are_drawn_from_the_generator_alone(network, widths):
    before = torch.get_rng_state()
    first, same, other = (nn.ModuleList(built(network, widths, seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(first.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two in pairs)
    pairs = list(zip(first.parameters(), other.parameters(), strict=True))
    assert not any(torch.equal(one, two) for one, two in pairs if one.ndim > 1)


@all_widths
@each_network
def test_rows_do_not_depend_on_each_other(network, widths):
    for module, width in zip(built(network, widths), (widths.features, widths.code), strict=True):
        x = rows(6, width)
        together, apart = module(x), torch.cat([module(row) for row in x.split(1)])
        torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


@all_widths
@each_network
def test_beside_a_linear_path_it_starts_at_exactly_nothing(network, widths):
    sizes = [
        (widths.features, widths.encoder_out),
        (widths.code, widths.decoder_out),
    ]
    for inner, (n_in, n_out) in zip(built(network, widths), sizes, strict=True):
        weight, one = torch.randn(n_out, n_in, generator=generator(2)), torch.ones(1)
        path = LinearPlus(inner, weight, torch.zeros(n_out), one, one).train()
        x = 100 * rows(20, n_in)
        found = path(x)
        assert torch.equal(found, nn.functional.linear(x, weight))
        found.square().sum().backward()
        moved = [p for p in inner.parameters() if p.grad is not None and p.grad.any()]
        assert moved, "it can never leave zero"


@pytest.mark.parametrize("widths", [ONE, OTHER])
@each_network
def test_encode_and_decode_can_be_exported(network, widths):
    """As `torch.onnx.export` begins: one graph, for any number of rows."""
    for module, width in zip(built(network, widths), (widths.features, widths.code), strict=True):
        n_rows = {0: torch.export.Dim("n_rows", min=2, max=4096)}
        x = rows(8, width)
        exported = torch.export.export(module.eval(), (x,), dynamic_shapes=(n_rows,))
        torch.testing.assert_close(exported.module()(x[:5]), module(x[:5]))


@pytest.mark.parametrize("widths", [ONE, OTHER])
@each_network
def test_it_computes_in_bfloat16_and_float64_too(network, widths):
    encoder, _ = built(network, widths)
    x = rows(8, widths.features)
    expected = encoder(x)
    torch.testing.assert_close(encoder.double()(x.double()).float(), expected, rtol=1e-4, atol=1e-4)
    found = encoder.bfloat16()(x.bfloat16()).float()
    assert (found - expected).square().mean() < 1e-2 * expected.square().mean() + 1e-4


# ---------------------------------------------------------------- whole fits


@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("shape", [(7, 5), (5, 4, 3)])
@each_network
def test_a_model_survives_its_file(network, shape, init, tmp_path):
    X = pictures(shape)
    ae = quick(8, network=network.name, init=init, keep="last", max_steps=20).fit(X)
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert bits(again) == bits(ae)
    np.testing.assert_array_equal(again.reconstruct(X), ae.reconstruct(X))
    assert ae.reconstruct(X).shape == X.shape
    assert ae.sample(2, random_state=0).shape == (2, *shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7, 5), (5, 4, 3), (1, 6), (12, 11, 2)])
@each_network
def test_a_row_has_the_same_bits_alone_and_in_any_batch(network, shape, dtype):
    X = pictures(shape, 150).astype(dtype)
    ae = quick(4, network=network.name, keep="last", max_steps=10).fit(X)
    Z = ae.transform(X)
    X_hat = ae.inverse_transform(Z)
    np.testing.assert_array_equal(ae.transform(X[::-1]), Z[::-1])
    for row in (0, 63, 64, 149):
        np.testing.assert_array_equal(ae.transform(X[row : row + 1]), Z[row : row + 1])
        alone = ae.inverse_transform(Z[row : row + 1])
        np.testing.assert_array_equal(alone, X_hat[row : row + 1])


@each_network
def test_the_same_seed_gives_the_same_model_and_leaves_global_state_alone(network):
    X, before = pictures((5, 4, 3)), torch.get_rng_state()
    one, same = (quick(8, network=network.name, keep="last", max_steps=8).fit(X) for _ in "12")
    assert bits(one) == bits(same)
    assert torch.equal(torch.get_rng_state(), before)
