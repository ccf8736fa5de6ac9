"""Layers whose weights our own generators draw."""

from __future__ import annotations

import torch
from torch import nn


def empty_linear(
    inputs: int,
    outputs: int,
    *,
    bias: bool = True,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
) -> nn.Linear:
    """Return a linear layer whose weights and biases are still to be filled in.

    `torch.nn.Linear` alone would draw them from torch's global generator.
    """
    layer = nn.Linear(inputs, outputs, bias=bias, device="meta", dtype=dtype)
    return layer.to_empty(device=device)
