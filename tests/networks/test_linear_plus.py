"""The PCA path around an encoder and a decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from narrows.linear.scaling import Scaling
from narrows.networks import MLP, Autoencoding, LinearPlus, Widths, converted


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linears(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


NARROW = Widths(20, 3, 3, 20)


def built(widths=NARROW, **fields):
    mlp = MLP(**{"hidden": (11, 7), **fields})
    return mlp.build(widths, generator())


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
