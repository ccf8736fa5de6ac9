"""Layers whose weights our own generators draw."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


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
    return layer if device == "meta" else with_memory(layer, device)


def with_memory(module: _Module, device: str = "cpu") -> _Module:
    """Give the parameters of a module on torch's "meta" device memory, still to be filled in.

    `torch.nn.Module.to_empty` would load a part of torch's compiler, which takes half a second.
    """
    for part in module.modules():
        for name, kept in part.named_parameters(recurse=False):
            empty = torch.empty(kept.shape, dtype=kept.dtype, device=device)
            part.register_parameter(name, nn.Parameter(empty))
    return module
