"""Layers, activations and the distributions that weights are drawn from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from narrows.networks import MLP, Widths


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linears(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


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
