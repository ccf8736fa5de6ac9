"""What a family of autoencoders states: its loss terms, per sample, and its code.

One file in this folder is one family. Its fields are its parameters; nothing else names them.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor

from narrows import fields
from narrows.networks.base import Autoencoding


class Batch(NamedTuple):
    """Rows of one step, in the network's units: ``x`` is (B, D)."""

    x: Tensor


class Bounds(NamedTuple):
    """Where reconstructions are clipped, in the network's units; each (D,)."""

    low: Tensor
    high: Tensor


class Objective(ABC):
    """What training makes small, and which numbers are the code of a row."""

    name: ClassVar[str]
    get_params = fields.get_params

    def output_sizes(self, n_features: int, n_components: int) -> tuple[int, int]:
        """Return how many numbers the encoder and the decoder give for one row."""
        return n_components, n_features

    @abstractmethod
    def terms(self, net: Autoencoding, batch: Batch, bounds: Bounds | None) -> dict[str, Tensor]:
        """Return each term of the loss, a value per row (B,); the loop adds and reduces them."""

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return the code (B, K) of rows (B, D), both in the network's units."""
        code: Tensor = net.encoder(x)
        return code

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the rows (B, D) that codes (B, K) decode to, both in the network's units."""
        x_hat: Tensor = net.decoder(z)
        return x_hat
