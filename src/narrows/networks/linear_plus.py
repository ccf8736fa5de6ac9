"""A linear path beside any network, set so that the sum starts as principal components.

::

    z = V x + σ f(x)          x̂ = Vᵀ z + ρ g(z / σ)          f and g give zeros at the start

x is centred and in the network's units; V holds the principal axes as rows, σ the deviations of
the scores, ρ the root mean square of what PCA leaves over. So the non-linear path reads and
writes numbers near one, whatever the spectrum.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class LinearPlus(nn.Module):
    """Give ``x @ weightᵀ + bias + gain * inner(x / unit)``.

    Parameters
    ----------
    inner : nn.Module
        The non-linear path (B, inputs) to (B, outputs); its last linear layer is set to zero.
    weight : Tensor (outputs, inputs)
        The linear path, trained along with the rest.
    bias : Tensor (outputs,)
        Fixed: what centring the data asks for, zero where scaling centres.
    unit : Tensor (inputs,) or (1,)
        Fixed: what the non-linear path divides its input by.
    gain : Tensor (outputs,) or (1,)
        Fixed: what its output is multiplied by.
    """

    bias: Tensor
    unit: Tensor
    gain: Tensor

    def __init__(
        self, inner: nn.Module, weight: Tensor, bias: Tensor, unit: Tensor, gain: Tensor
    ) -> None:
        super().__init__()
        silence(inner)
        self.inner = inner
        self.weight = nn.Parameter(weight)
        self.register_buffer("bias", bias)
        self.register_buffer("unit", unit)
        self.register_buffer("gain", gain)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs)."""
        curved = cast("Tensor", self.inner(x / self.unit))
        return torch.addcmul(self.linear(x), self.gain, curved)

    def linear(self, x: Tensor) -> Tensor:
        """Return the linear path alone (B, outputs)."""
        return nn.functional.linear(x, self.weight, self.bias)


@torch.no_grad()
def silence(module: nn.Module) -> None:
    """Set the last linear layer of a module to zero, so that the module gives zeros."""
    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    last.weight.zero_()
    if last.bias is not None:
        last.bias.zero_()
