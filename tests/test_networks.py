"""Every architecture keeps the contract of `Network`; below it, the MLP and the linear path."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from narrows.networks import (
    MLP,
    Autoencoding,
    LinearPlus,
    Widths,
    converted,
)
from narrows.parts import PARTS
from narrows.scaling import Scaling

NETWORKS = [pytest.param(network, id=name) for name, network in PARTS["network"].items()]
WIDTHS = [Widths(784, 128, 128, 784), Widths(6, 2, 4, 6), Widths(1, 1, 1, 1), Widths(3, 9, 9, 3)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linears(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


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


# ---------------------------------------------------------------- MLP


NARROW = Widths(20, 3, 3, 20)


def built(widths=NARROW, **fields):
    mlp = MLP(**{"hidden": (11, 7), **fields})
    return mlp.build(widths, generator())


def shapes(module):
    return [(layer.in_features, layer.out_features) for layer in linears(module)]


def test_the_decoder_mirrors_the_encoder():
    encoder, decoder = built()
    assert shapes(encoder) == [(20, 11), (11, 7), (7, 3)]
    assert shapes(decoder) == [(3, 7), (7, 11), (11, 20)]


def test_a_family_may_ask_for_wider_ends():
    encoder, decoder = built(Widths(20, 3, 6, 40))
    assert shapes(encoder)[-1] == (7, 6)
    assert shapes(decoder)[0] == (3, 7)
    assert shapes(decoder)[-1] == (11, 40)


def test_no_hidden_layer_is_a_linear_autoencoder():
    encoder, decoder = built(hidden=())
    assert (shapes(encoder), shapes(decoder)) == ([(20, 3)], [(3, 20)])
    assert len(list(encoder)) == len(list(decoder)) == 1


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh", "gelu", "silu"])
def test_outputs_stay_in_the_range_that_is_stated(activation):
    _, decoder = built(output_activation=activation, weight_init="normal")
    with torch.no_grad():
        outputs = decoder(1000 * torch.randn(200, 3, generator=generator()))
    low, high = MLP(output_activation=activation).output_range()
    assert low <= outputs.min()
    assert outputs.max() <= high
    assert (activation in ("relu", "sigmoid", "tanh")) == (low > -math.inf)


def test_activations_stand_after_hidden_layers_code_and_output():
    encoder, decoder = built(activation="relu", code_activation="tanh", output_activation="sigmoid")
    kinds = [[type(layer).__name__ for layer in module] for module in (encoder, decoder)]
    assert kinds[0] == ["Linear", "ReLU", "Linear", "ReLU", "Linear", "Tanh"]
    assert kinds[1] == ["Linear", "ReLU", "Linear", "ReLU", "Linear", "Sigmoid"]


def test_it_computes_what_numpy_computes():
    encoder, _ = built(activation="tanh")
    x = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    first, second, last = [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in linears(encoder)
    ]
    expected = np.tanh(x @ first[0].T + first[1])
    expected = np.tanh(expected @ second[0].T + second[1]) @ last[0].T + last[1]
    np.testing.assert_allclose(encoder(torch.from_numpy(x)).detach(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("ends", "linear"),
    [
        ({}, True),
        ({"code_activation": "tanh"}, False),
        ({"output_activation": "sigmoid"}, False),
        ({"activation": "relu"}, True),
    ],
)
def test_linear_ends(ends, linear):
    assert MLP(**ends).linear_ends() is linear


WIDE = Widths(400, 300, 300, 400)


def drawn(**fields):
    layer = linears(MLP(hidden=(), **fields).build(WIDE, generator())[0])[0]
    return layer.weight.detach(), layer.bias.detach()


@pytest.mark.parametrize(
    ("kind", "bound"), [("torch", 1 / math.sqrt(400)), ("glorot", math.sqrt(6 / 700))]
)
def test_uniform_weights_fill_their_interval(kind, bound):
    weight, _ = drawn(weight_init=kind)
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.999 * bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_normal_weights():
    weight, _ = drawn(weight_init="normal")
    assert weight.mean().item() == pytest.approx(0, abs=0.02)
    assert weight.std().item() == pytest.approx(1, rel=0.02)
    assert weight.abs().max() > 3


def test_truncated_normal_weights_are_cut_at_two_deviations():
    weight, _ = drawn(weight_init="truncated_normal")
    assert weight.abs().max() <= 2
    # The deviation of N(0, 1) cut at ±2 is 0.8796.
    assert weight.std().item() == pytest.approx(0.8796, rel=0.02)


def test_biases():
    assert not drawn(bias_init="zeros")[1].any()
    assert drawn(bias_init="normal")[1].std().item() == pytest.approx(1, rel=0.2)
    assert drawn(bias_init="torch")[1].abs().max() <= 1 / math.sqrt(400)


# ---------------------------------------------------------------- the linear path


def with_linear_path(inner, n_in, n_out):
    weight = torch.randn(n_out, n_in, generator=generator(1))
    bias = torch.randn(n_out, generator=generator(2))
    unit = torch.rand(n_in, generator=generator(3)) + 0.5
    gain = torch.rand(n_out, generator=generator(4)) + 0.5
    return LinearPlus(inner, weight, bias, unit, gain)


@pytest.mark.parametrize("n_hidden", [0, 1, 2])
def test_the_non_linear_path_contributes_exactly_nothing_at_the_start(n_hidden):
    encoder, _ = built(hidden=(9,) * n_hidden)
    path = with_linear_path(encoder, 20, 3)
    x = 100 * torch.randn(50, 20, generator=generator(5))
    expected = nn.functional.linear(x, path.weight, path.bias)
    assert torch.equal(path(x), expected)


def test_the_non_linear_path_can_leave_zero():
    encoder, _ = built()
    path = with_linear_path(encoder, 20, 3)
    path(torch.randn(8, 20, generator=generator(5))).square().sum().backward()
    assert linears(path.inner)[-1].weight.grad.abs().max() > 0
    assert path.weight.grad.abs().max() > 0


def test_the_linear_path_is_trained_and_its_bias_is_not():
    path = with_linear_path(built()[0], 20, 3)
    assert "weight" in dict(path.named_parameters())
    assert "bias" not in dict(path.named_parameters())
    assert {"weight", "bias"} <= set(path.state_dict())


def test_converted_is_a_copy_that_keeps_the_scaling_in_float64():
    encoder, decoder = built()
    net = Autoencoding(Scaling(np.zeros(20), np.ones(1)), encoder, decoder, code_unit=3.0)
    copied = converted(net, torch.float64)
    assert copied.scaling.shift.dtype == torch.float64
    assert next(copied.encoder.parameters()).dtype == torch.float64
    assert next(net.encoder.parameters()).dtype == torch.float32
    assert copied.code_unit.item() == 3.0
    assert converted(net, torch.bfloat16).scaling.divisor.dtype == torch.float64
