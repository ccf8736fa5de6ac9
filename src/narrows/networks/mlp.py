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

from narrows.fields import one_of, parameter, replaced, widths
from narrows.networks.base import Network, Widths

NARROW_CODE = 16
"""Numbers in a code up to which the decoder's first layer is spread out."""
_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "linear": nn.Identity,
}
_ACTIVATION = one_of(*_ACTIVATIONS)


@dataclass(frozen=True)
class MLP(Network):
    """Fully connected encoder with a mirrored decoder.

    ::

        D ─ hidden[0] ─ … ─ hidden[-1] ─ K          (encoder)
        K ─ hidden[-1] ─ … ─ hidden[0] ─ D          (decoder)

    Parameters
    ----------
    hidden : "auto" or sequence of int, default="auto"
        Widths of the encoder's hidden layers; the decoder has them in reverse. ``"auto"`` chooses
        by the number of features, rows and components (`narrows.planning`).
    activation : {"gelu", "relu", "sigmoid", "silu", "tanh", "linear"}, default="gelu"
        After each hidden layer.
    code_activation, output_activation : same names, default="linear"
        After the code and after the output. Other than ``"linear"`` needs ``init="random"``.
    weight_init : {"auto", "torch", "glorot", "normal", "truncated_normal"}, default="auto"
        ``"auto"`` draws from N(0, 1/inputs) (LeCun et al., "Efficient BackProp", 1998), three
        times as wide where the decoder reads a code of at most 16 numbers; ``"torch"`` uniformly
        within ±1/√(inputs), as `torch.nn.Linear`; ``"glorot"`` uniformly within
        ±√(6/(inputs + outputs)) (Glorot and Bengio, AISTATS 2010); ``"normal"`` from N(0, 1);
        ``"truncated_normal"`` from N(0, 1) cut at two deviations.
    bias_init : {"auto", "zeros", "torch", "normal"}, default="auto"
        ``"zeros"`` sets biases to zero, and so does ``"auto"``, except where the decoder reads a
        code of at most 16 numbers: there it draws from N(0, 4), so that the units of that layer
        bend at places spread over all codes. ``"torch"`` and ``"normal"`` as above.
    """

    name: ClassVar[str] = "mlp"

    hidden: str | tuple[int, ...] = parameter(
        "auto", one_of("auto") | widths(), "widths of the encoder's hidden layers"
    )
    activation: str = parameter("gelu", _ACTIVATION, "after each hidden layer")
    code_activation: str = parameter("linear", _ACTIVATION, "after the code")
    output_activation: str = parameter("linear", _ACTIVATION, "after the output")
    weight_init: str = parameter(
        "auto",
        one_of("auto", "torch", "glorot", "normal", "truncated_normal"),
        "distribution of weights",
    )
    bias_init: str = parameter(
        "auto",
        one_of("auto", "zeros", "torch", "normal"),
        "distribution of biases",
    )

    def resolved(self, widths: Widths, n_rows: int) -> MLP:
        """Return a copy with ``hidden`` as a tuple of widths."""
        chosen = auto_hidden(widths, n_rows) if self.hidden == "auto" else tuple(self.hidden)
        copy = replaced(self, {"hidden": chosen})
        assert isinstance(copy, MLP)
        return copy

    def linear_ends(self) -> bool:
        """Tell whether neither code nor output passes an activation."""
        return self.code_activation == self.output_activation == "linear"

    def n_parameters(self, widths: Widths) -> int:
        """Count weights and biases of encoder and decoder."""
        layers = [pair for sizes in self._sizes(widths) for pair in pairwise(sizes)]
        return sum((inputs + 1) * outputs for inputs, outputs in layers)

    def _sizes(self, widths: Widths) -> tuple[list[int], list[int]]:
        hidden = [int(width) for width in self.hidden]
        return (
            [widths.features, *hidden, widths.encoder_out],
            [widths.code, *reversed(hidden), widths.decoder_out],
        )

    def build(self, widths: Widths, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Return a fresh (encoder, decoder) drawn from the generator alone."""
        down, up = self._sizes(widths)
        encoder = self._stack(down, self.code_activation, generator)
        decoder = self._stack(up, self.output_activation, generator)
        if widths.code <= NARROW_CODE:
            self._spread(decoder, generator)
        return encoder, decoder

    @torch.no_grad()
    def _spread(self, decoder: nn.Sequential, generator: torch.Generator) -> None:
        """Let the layer that reads a narrow code bend at places spread over all codes."""
        first = decoder[0]
        assert isinstance(first, nn.Linear)
        if self.weight_init == "auto":
            first.weight.mul_(3.0)
        if self.bias_init == "auto":
            first.bias.normal_(std=2.0, generator=generator)

    def _stack(self, sizes: list[int], last: str, generator: torch.Generator) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [self._layer(inputs, outputs, generator), _ACTIVATIONS[self.activation]()]
        layers[-1] = _ACTIVATIONS[last]()
        return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.Identity)))

    def _layer(self, inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
        # By way of "meta" torch's own drawing, from the global stream, is left out.
        layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
        _draw(layer.weight, self.weight_init, inputs, outputs, generator)
        _draw(layer.bias, self.bias_init, inputs, outputs, generator)
        return layer


@torch.no_grad()
def _draw(tensor: Tensor, kind: str, inputs: int, outputs: int, generator: torch.Generator) -> None:
    """Fill a tensor in place from one of the named distributions."""
    if kind == "zeros" or (kind == "auto" and tensor.ndim == 1):
        tensor.zero_()
    elif kind == "auto":
        tensor.normal_(std=1 / math.sqrt(inputs), generator=generator)
    elif kind == "normal":
        tensor.normal_(generator=generator)
    elif kind == "truncated_normal":
        nn.init.trunc_normal_(tensor, a=-2.0, b=2.0, generator=generator)
    else:
        squared = 6 / (inputs + outputs) if kind == "glorot" else 1 / inputs
        tensor.uniform_(-math.sqrt(squared), math.sqrt(squared), generator=generator)


def auto_hidden(widths: Widths, n_rows: int) -> tuple[int, ...]:
    """Choose the encoder's hidden widths for data of a given shape."""
    if n_rows < 10_000:
        return (128, 64)
    if widths.code > 48:
        return (512,)
    return (512, 256) if widths.code > 8 else (512, 256, 256, 256)
