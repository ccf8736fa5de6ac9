"""What a network offers, and the whole that training and inference work on.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from narrows import fields
from narrows.scaling import Scaling

FEW_ROWS, MANY_ROWS = 1_000, 10_000
"""Rows below which data counts as scarce, and from which as plentiful, wherever defaults differ."""


class Widths(NamedTuple):
    """Numbers that enter and leave an encoder and a decoder."""

    features: int
    code: int
    encoder_out: int
    decoder_out: int


class Network(ABC):
    """An architecture: typed fields that say how to build an encoder and a decoder."""

    name: ClassVar[str]
    get_params = fields.get_params

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


class Autoencoding(nn.Module):
    """Scaling, encoder and decoder: everything that a model file holds.

    Parameters
    ----------
    scaling : Scaling
        Between data units and the units that encoder and decoder compute in.
    encoder, decoder : nn.Module
        (B, D) to (B, encoder_out) and (B, K) to (B, decoder_out), in those units.
    code_unit : float, default=1.0
        Codes are handed out multiplied by this. Where one common divisor scales the data and the
        linear path is PCA, it is that divisor, so that codes are in data units as PCA's scores.
    """

    code_unit: Tensor

    def __init__(
        self, scaling: Scaling, encoder: nn.Module, decoder: nn.Module, code_unit: float = 1.0
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer("code_unit", torch.tensor(code_unit, dtype=torch.float64))


def is_finite(net: nn.Module) -> bool:
    """Tell whether no parameter and no buffer holds NaN or infinity."""
    return all(bool(tensor.isfinite().all()) for tensor in net.state_dict().values())


def converted(net: Autoencoding, dtype: torch.dtype) -> Autoencoding:
    """Return a copy on the CPU with encoder and decoder in a dtype; scaling keeps float64."""
    copied = copy.deepcopy(net).to("cpu")
    copied.encoder.to(dtype)
    copied.decoder.to(dtype)
    return copied
