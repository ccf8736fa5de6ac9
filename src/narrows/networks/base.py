"""The interface of an architecture, and the sizes that it is built for.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from narrows.common import limits
from narrows.errors import ParameterError

AXES = 50
"""Principal components of wide rows that distances are taken in, and that encoders may read."""


class Widths(NamedTuple):
    """The sizes of an encoder and a decoder, and what else an architecture is built for.

    Attributes
    ----------
    features, code : int
        Inputs of the encoder (D) and of the decoder (K).
    encoder_out, decoder_out : int
        Outputs of them.
    sample_shape : tuple of int
        Shape of one row, such as (28, 28) or (32, 32, 3); () where it is not known.
    class_shares : tuple of float
        Part of the rows in each class, for families that need classes; else ().
    ordered : bool
        Whether codes may be cut short: see `narrows.networks.prefixes`.
    axes : int
        Principal components that the encoder reads instead of the features; 0 for the features.
    """

    features: int
    code: int
    encoder_out: int
    decoder_out: int
    sample_shape: tuple[int, ...] = ()
    class_shares: tuple[float, ...] = ()
    ordered: bool = False
    axes: int = 0


def even_shares(n_classes: int) -> tuple[float, ...]:
    """Return the parts of classes where only their number matters."""
    return (1 / max(n_classes, 1),) * n_classes


class Network(ABC):
    """An architecture: typed fields that say how to build an encoder and a decoder."""

    name: ClassVar[str]
    bfloat16: ClassVar[bool] = False
    """Whether ``precision="auto"`` may train it in bfloat16: its buffers must not change then."""
    reads_axes: ClassVar[bool] = False
    """Whether its encoder can read principal components instead of the features."""
    get_params = limits.get_params

    @abstractmethod
    def resolved(self, widths: Widths, n_rows: int) -> Network:
        """Return a copy in which nothing is ``"auto"``."""

    @abstractmethod
    def build(self, widths: Widths, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Return a fresh encoder, (B, D) to (B, encoder_out), and decoder, (B, K) to outputs."""

    def redraw(self, encoder: nn.Module, seed: int) -> None:
        """Draw the weights of a built encoder anew, where it was built with weights that it had."""
        del encoder, seed

    @abstractmethod
    def n_parameters(self, widths: Widths) -> int:
        """Count the trainable numbers of what `build` returns, without building it.

        `load` calls it with the fields of a file that may be forged, so it must be quick and use
        no memory for any fields within their limits.
        """

    @abstractmethod
    def linear_ends(self) -> bool:
        """Tell whether code and output are linear, as a path around them needs."""

    def filled(self, choices: Mapping[str, Any]) -> Self:
        """Return a copy with these in the place of "auto", and widths as tuples."""
        given = self.get_params()
        widths = {name: tuple(v) for name, v in given.items() if limits.is_sequence(v)}
        open_fields = {name: c for name, c in choices.items() if given[name] == "auto"}
        return limits.replaced(self, {**widths, **open_fields})

    def output_range(self) -> tuple[float, float]:
        """Return the interval that holds all outputs, in the network's units."""
        return -math.inf, math.inf

    def n_products(self, widths: Widths) -> int:
        """Count the multiplications of a forward pass of one row, through encoder and decoder."""
        return self.n_parameters(widths)

    def check_start(self, widths: Widths) -> None:
        """Check that a linear path may stand beside encoder and decoder.

        Raises
        ------
        ParameterError
        """
        del widths
        if not self.linear_ends():
            raise ParameterError(
                "init='pca' needs a linear code and output (`code_activation` and"
                " `output_activation` 'linear'), since PCA gives numbers of any size. Use"
                f" init='random' for {self!r}."
            )


@torch.no_grad()
def count_products(encoder: nn.Module, decoder: nn.Module, x: Tensor, z: Tensor) -> int:
    """Count the multiplications of a forward pass, per row, for rows (B, D) and codes (B, K)."""
    with FlopCounterMode(display=False) as counter:
        encoder(x)
        decoder(z)
    return int(counter.get_total_flops()) // (2 * len(x))  # torch counts products and sums
