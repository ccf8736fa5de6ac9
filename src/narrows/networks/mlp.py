"""Fully connected layers, from the features down to the code and back up.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.common.limits import boolean, one_of, parameter, widths
from narrows.common.sizes import FEW_ROWS, MANY_ROWS
from narrows.networks.base import Network, Widths
from narrows.networks.layers import empty_linear
from narrows.networks.prefixes import ReadsPrefix

NARROW_CODE = 16
"""Code size below which the network is deep, and the decoder's first layer has larger weights."""
WIDE = 4_096
"""Features beyond which few rows get a network with as few weights as is sensible."""
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "linear": nn.Identity,
}
_RANGES = {"relu": (0.0, math.inf), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_ACTIVATION = one_of(*_ACTIVATIONS)
_WEIGHTS = ("lecun", "spread", "torch", "glorot", "normal", "truncated_normal")
_BIASES = ("zeros", "spread", "torch", "normal")


@dataclass(frozen=True)
class MLP(Network):
    """Fully connected encoder with a mirrored decoder.

    ::

        D ─ hidden[0] ─ … ─ hidden[-1] ─ K          (encoder)
        K ─ hidden[-1] ─ … ─ hidden[0] ─ D          (decoder)

    Not for: pictures larger than about 32 × 32, where `Conv` needs fewer weights.

    Parameters
    ----------
    hidden : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers; the decoder has them in reverse. ``"auto"`` chooses
        by the number of features, rows and components.
    activation : {"gelu", "relu", "sigmoid", "silu", "tanh", "linear"}, default="gelu"
        After each hidden layer.
    code_activation, output_activation : same names, default="linear"
        After the code and after the output. Other than ``"linear"`` needs ``init="random"``.
    weight_init : {"auto", "lecun", "spread", "torch", "glorot", "normal", \
            "truncated_normal"}, default="auto"
        ``"lecun"`` draws from N(0, 1/inputs) (LeCun et al., "Efficient BackProp", 1998);
        ``"spread"`` does too, but three times as wide for the layer that reads the code;
        ``"torch"`` draws uniformly within ±1/√(inputs), as `torch.nn.Linear`; ``"glorot"``
        uniformly within ±√(6/(inputs + outputs)) (Glorot and Bengio, AISTATS 2010); ``"normal"``
        from N(0, 1); ``"truncated_normal"`` from N(0, 1) cut at two deviations. ``"auto"`` is
        ``"spread"`` from 10,000 rows on, for ordered codes or codes of fewer than 16 numbers; else
        ``"lecun"``.
    bias_init : {"auto", "zeros", "spread", "torch", "normal"}, default="auto"
        ``"zeros"`` sets biases to zero; ``"spread"`` does too, but draws from N(0, 4) for the
        layer that reads the code, so that its units switch at places spread over all codes; the
        others as above. ``"auto"`` is ``"spread"`` with ``weight_init="spread"``, else ``"zeros"``.
    skip : "auto" or bool, default="auto"
        Whether the last layer of each reads the first hidden layer beside the last one: a shallow
        and a deep network in one. ``"auto"`` is True for ordered codes, where a shallow network is
        better for long prefixes and a deep one for short ones.
    """

    name: ClassVar[str] = "mlp"
    bfloat16: ClassVar[bool] = True
    reads_axes: ClassVar[bool] = True

    hidden: str | tuple[int, ...] = parameter(
        "auto", one_of("auto") | widths(), "widths of the encoder's hidden layers"
    )
    activation: str = parameter("gelu", _ACTIVATION, "after each hidden layer")
    code_activation: str = parameter("linear", _ACTIVATION, "after the code")
    output_activation: str = parameter("linear", _ACTIVATION, "after the output")
    weight_init: str = parameter("auto", one_of("auto", *_WEIGHTS), "distribution of weights")
    bias_init: str = parameter("auto", one_of("auto", *_BIASES), "distribution of biases")
    skip: str | bool = parameter(
        "auto", one_of("auto") | boolean(), "whether the last layer reads the first hidden layer"
    )

    def resolved(self, widths: Widths, n_rows: int) -> MLP:
        """Return a copy in which no field is ``"auto"``."""
        narrow = widths.ordered or widths.code < NARROW_CODE
        spread = n_rows >= MANY_ROWS and narrow
        weights = self.weight_init
        if weights == "auto":
            weights = "spread" if spread else "lecun"
        return self.filled(
            {
                "hidden": auto_hidden(widths, n_rows),
                "weight_init": weights,
                "bias_init": "spread" if weights == "spread" else "zeros",
                "skip": widths.ordered,
            }
        )

    def linear_ends(self) -> bool:
        """Tell whether neither code nor output passes an activation."""
        return self.code_activation == self.output_activation == "linear"

    def output_range(self) -> tuple[float, float]:
        """Return the interval that no output leaves, in the network's units."""
        return _RANGES.get(self.output_activation, (-math.inf, math.inf))

    def n_parameters(self, widths: Widths) -> int:
        """Count weights and biases of encoder and decoder."""
        layers = [pair for sizes in self._sizes(widths) for pair in self._layers(sizes)]
        return sum((inputs + 1) * outputs for inputs, outputs in layers)

    def _layers(self, sizes: list[int]) -> list[tuple[int, int]]:
        """Return the numbers that enter and leave each layer."""
        layers = list(pairwise(sizes))
        if self.skip is True and len(layers) > 2:
            layers[-1] = (sizes[1] + sizes[-2], sizes[-1])
        return layers

    def _sizes(self, widths: Widths) -> tuple[list[int], list[int]]:
        hidden = [int(width) for width in self.hidden]
        return (
            [widths.axes or widths.features, *hidden, widths.encoder_out],
            # For codes that may be cut short, the decoder also reads which numbers are given.
            [widths.code * (1 + widths.ordered), *reversed(hidden), widths.decoder_out],
        )

    def build(self, widths: Widths, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Return a fresh (encoder, decoder) drawn from the generator alone."""
        down, up = self._sizes(widths)
        encoder = self._stack(down, self.code_activation, generator)
        decoder = self._stack(up, self.output_activation, generator)
        first = next(layer for layer in decoder.modules() if isinstance(layer, nn.Linear))
        with torch.no_grad():
            # Where nothing is hidden, the first layer is the output.
            if self.hidden and self.weight_init == "spread":
                # Up to NARROW_CODE numbers; not the weights that read which numbers are given.
                first.weight[:, : min(widths.code, NARROW_CODE - 1)].mul_(3.0)
            if self.hidden and self.bias_init == "spread":
                first.bias.normal_(std=2.0, generator=generator)
        return encoder, ReadsPrefix(decoder, widths.code) if widths.ordered else decoder

    def _stack(self, sizes: list[int], last: str, generator: torch.Generator) -> nn.Module:
        layers = [self._layer(*layer, generator) for layer in self._layers(sizes)]
        activation = _ACTIVATIONS[self.activation]
        if self.skip is True and len(layers) > 2:
            return _Skipping(layers, activation(), _ACTIVATIONS[last]())
        steps: list[nn.Module] = []
        for layer in layers:
            steps += [layer, activation()]
        steps[-1] = _ACTIVATIONS[last]()
        return nn.Sequential(*(step for step in steps if not isinstance(step, nn.Identity)))

    def _layer(self, inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
        layer = empty_linear(inputs, outputs)
        _draw(layer.weight, self.weight_init, inputs, outputs, generator)
        _draw(layer.bias, self.bias_init, inputs, outputs, generator)
        return layer


class _Skipping(nn.Module):
    """Layers where the last reads the first, beside the one before it."""

    def __init__(self, layers: list[nn.Linear], between: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(layers[:-1])
        self.between, self.after = between, after
        self.last = layers[-1]

    def forward(self, x: Tensor) -> Tensor:
        first = deep = self.between(self.hidden[0](x))
        for layer in self.hidden[1:]:
            deep = self.between(layer(deep))
        found: Tensor = self.after(self.last(torch.cat([first, deep], dim=1)))
        return found


@torch.no_grad()
def _draw(tensor: Tensor, kind: str, inputs: int, outputs: int, generator: torch.Generator) -> None:
    """Fill a tensor in place from one of the named distributions."""
    if kind == "zeros" or (kind == "spread" and tensor.ndim == 1):
        tensor.zero_()
    elif kind in ("lecun", "spread"):
        tensor.normal_(std=1 / math.sqrt(inputs), generator=generator)
    elif kind == "normal":
        tensor.normal_(generator=generator)
    elif kind == "truncated_normal":
        nn.init.trunc_normal_(tensor, a=-2.0, b=2.0, generator=generator)
    else:
        squared = 6 / (inputs + outputs) if kind == "glorot" else 1 / inputs
        tensor.uniform_(-math.sqrt(squared), math.sqrt(squared), generator=generator)


def auto_hidden(widths: Widths, n_rows: int) -> tuple[int, ...]:
    """Choose the encoder's hidden widths for data of a given shape.

    Few or narrow rows get a small network, few wide ones a smaller one still. Otherwise layers are
    as wide as the rows, from 128 to 512, and the network is deeper for smaller codes. For ordered
    codes it has three equal layers.
    """
    if n_rows < FEW_ROWS and widths.features > WIDE:
        return (32, 16)
    if n_rows < FEW_ROWS or (n_rows < MANY_ROWS and widths.features <= 128):
        return (128, 64)
    wide = min(512, max(128, 1 << (widths.features.bit_length() - 1)))
    if widths.ordered:
        return (wide, wide, wide)
    if widths.code >= 64:
        return (wide,)
    if widths.code >= NARROW_CODE:
        return (wide, wide // 2)
    return (wide, wide // 2, wide // 2, wide // 2)
