"""A linear path beside any network, set so that the sum starts as principal components.

::

    z = V x + f(x)          x̂ = Vᵀ z + g(z)          f and g end in zeros at the start

x is centred and in the network's units; V holds the principal axes as rows.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class LinearPlus(nn.Module):
    """Add ``x @ weightᵀ + bias`` to the output of a module.

    Parameters
    ----------
    inner : nn.Module
        The non-linear path (B, inputs) to (B, outputs); its last linear layer is set to zero.
    weight : Tensor (outputs, inputs)
        The linear path, trained along with the rest.
    bias : Tensor (outputs,)
        Fixed: what centring the data asks for, zero where scaling centres.
    """

    bias: Tensor

    def __init__(self, inner: nn.Module, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        silence(inner)
        self.inner = inner
        self.weight = nn.Parameter(weight)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs)."""
        linear = nn.functional.linear(x, self.weight, self.bias)
        return linear + cast("Tensor", self.inner(x))


@torch.no_grad()
def silence(module: nn.Module) -> None:
    """Set the last linear layer of a module to zero, so that the module gives zeros."""
    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    last.weight.zero_()
    if last.bias is not None:
        last.bias.zero_()
