"""Layers that draw nothing of their own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from narrows.networks.layers import empty_linear


@pytest.mark.parametrize("bias", [True, False])
def test_an_empty_layer_takes_nothing_from_the_global_stream(bias):
    before = torch.get_rng_state()
    layer = empty_linear(3, 2, bias=bias, dtype=torch.float64)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(layer) is nn.Linear
    assert layer.weight.shape == (2, 3)
    assert layer.weight.dtype == torch.float64
    assert (layer.bias is not None) == bias


def test_on_the_meta_device_it_takes_no_memory():
    assert empty_linear(1 << 24, 1 << 24, device="meta").weight.device.type == "meta"
