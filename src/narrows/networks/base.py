"""What a network offers, and the whole that training and inference work on.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from narrows.common import limits
from narrows.errors import ParameterError

AXES = 50
"""Principal components that distances are taken in, and that encoders may read, of wide rows."""


class Widths(NamedTuple):
    """Numbers that enter and leave an encoder and a decoder.

    Attributes
    ----------
    features, code : int
        What enters the encoder (D) and the decoder (K).
    encoder_out, decoder_out : int
        What leaves them.
    sample_shape : tuple of int
        Shape of one row, such as (28, 28) or (32, 32, 3); () where nothing is known of it.
    class_shares : tuple of float
        Part of the rows in each class, for the families that ask for classes; () without.
    ordered : bool
        Whether codes may be cut short: see `narrows.networks.prefixes`.
    axes : int
        Principal components that the encoder reads in place of the features; 0 for the features.
    """

    features: int
    code: int
    encoder_out: int
    decoder_out: int
    sample_shape: tuple[int, ...] = ()
    class_shares: tuple[float, ...] = ()
    ordered: bool = False
    axes: int = 0


class Network(ABC):
    """An architecture: typed fields that say how to build an encoder and a decoder."""

    name: ClassVar[str]
    bfloat16: ClassVar[bool] = True
    """Whether ``precision="auto"`` may train it in bfloat16."""
    reads_axes: ClassVar[bool] = False
    """Whether its encoder can read principal components in place of the features."""
    get_params = limits.get_params

    @abstractmethod
    def resolved(self, widths: Widths, n_rows: int) -> Network:
        """Return a copy in which nothing is ``"auto"`` any more."""

    @abstractmethod
    def build(self, widths: Widths, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Return a fresh encoder, (B, D) to (B, encoder_out), and decoder, (B, K) to outputs."""

    @abstractmethod
    def n_parameters(self, widths: Widths) -> int:
        """Count the trainable numbers of what `build` returns, without building it."""

    @abstractmethod
    def linear_ends(self) -> bool:
        """Tell whether code and output are linear, as a path around them needs."""

    def output_range(self) -> tuple[float, float]:
        """Return the interval that no output leaves, in the network's units."""
        return -math.inf, math.inf

    def n_products(self, widths: Widths) -> int:
        """Count the multiplications of one row on its way through encoder and decoder."""
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
    """Count the multiplications that rows (B, D) and codes (B, K) take, per row."""
    with FlopCounterMode(display=False) as counter:
        encoder(x)
        decoder(z)
    return int(counter.get_total_flops()) // (2 * len(x))  # a product and a sum count two
