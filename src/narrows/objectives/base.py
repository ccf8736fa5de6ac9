"""What a family of autoencoders states: its loss terms, per sample, and its code.

One file in this folder is one family. Its fields are its parameters; nothing else names them.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from narrows.common import limits
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Network, Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.priors import Prior

Noise = dict[str, Tensor]
"""What a step draws at random, by name; the leading axis of each is the rows of the batch."""
PIXEL_SQUARES = "squared units of the network per feature"
PIXELS = "units of the network per feature"
NATS = "nats per sample"
"""Units that most terms of a loss have."""


class Batch(NamedTuple):
    """Rows of one step, in the network's units.

    Attributes
    ----------
    x : Tensor (B, D)
    y : Tensor (B,) or None
        Classes.
    near : Tensor (B, P, D) or (B, P, A), or None
        Some neighbours of each row, for a family that asks for neighbours; by what an encoder
        reads, where that is scores on A principal axes.
    """

    x: Tensor
    y: Tensor | None = None
    near: Tensor | None = None


class Bounds(NamedTuple):
    """Where reconstructions are clipped, in the network's units; each (D,)."""

    low: Tensor
    high: Tensor


class Step(NamedTuple):
    """What a step is told beside its rows.

    Attributes
    ----------
    noise : dict of str to Tensor
        As `Objective.draw` gave it.
    bounds : Bounds or None
    progress : float
        How much of the schedule is done, from 0 to 1; 1 outside training.
    phase : str
        One of the objective's `phases`.
    """

    noise: Noise
    bounds: Bounds | None = None
    progress: float = 1.0
    phase: str = "main"


class Objective(ABC):
    """What training makes small, and which numbers are the code of a row.

    Attributes
    ----------
    name : str
        As ``objective=`` takes it.
    units : dict of str to str
        Every term that `terms` may give at any settings, with its unit.
    phases : tuple of str
        Steps taken one after the other on each batch, each on parameters of its own.
    n_partners : int
        Neighbours that come along with each row of a batch, where the family asks for neighbours.
    usual_batch : int
        What ``batch_size="auto"`` is for many rows.
    usual_decay : float
        What ``weight_decay="auto"`` is.
    absolute_gains : bool
        Whether the held-out loss has no natural zero, as nats, so that gains are not taken
        relative to it.
    """

    name: ClassVar[str]
    units: ClassVar[dict[str, str]]
    phases: ClassVar[tuple[str, ...]] = ("main",)
    absolute_gains: ClassVar[bool] = False
    n_partners: ClassVar[int] = 1
    usual_batch: ClassVar[int] = 256
    usual_decay: ClassVar[float] = 0.2
    get_params = limits.get_params

    @property
    def couples_rows(self) -> str:
        """Say why a row's terms depend on the other rows of its batch; "" promises they do not."""
        return ""

    @property
    def orderable(self) -> bool:
        """Tell whether codes may be cut short, squared errors then being counted in PCA's."""
        return False

    # ------------------------------------------------------------------ shapes and start

    @property
    def input_range(self) -> tuple[float, float] | None:
        """Return the range that data must be scaled to, which overrides ``scaling="auto"``."""
        return None

    @property
    def n_neighbors(self) -> int:
        """Return how many neighbours of each row are to be found before training; 0 for none."""
        return 0

    @property
    def needs_classes(self) -> bool:
        """Tell whether ``fit`` must be given classes ``y``."""
        return False

    @property
    def needs_linear_ends(self) -> bool:
        """Tell whether code and output must be free to be any number, as logits must."""
        return False

    def usual_network(self, n_rows: int, n_components: int) -> Network | None:
        """Return what ``network="auto"`` is for so many rows; None where any family's will do."""
        del n_rows, n_components
        return None

    def usual_rates(self, n_components: int) -> tuple[float, float, float]:
        """Return what ``learning_rate="auto"`` is below 1,000 rows, below 10,000 and beyond."""
        del n_components
        return 0.001, 0.001, 0.002

    def output_sizes(self, n_features: int, n_components: int) -> tuple[int, int]:
        """Return how many numbers the encoder and the decoder give for one row."""
        return n_components, n_features

    def start(self, path: LinearPath) -> LinearPath:
        """Turn the linear path that PCA gives into the one that this family starts from."""
        return path

    def fallback(self, path: LinearPath) -> LinearPath:
        """Turn it into what is returned where training gained nothing: mostly the same."""
        return self.start(path)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module | None:
        """Return parameters and buffers of the family's own; they are trained and saved too.

        Their shapes depend on ``widths`` alone; ``path`` is where training starts, None for
        ``init="random"`` and for a model that is read from a file.
        """
        del widths, path, generator
        return None

    def parameters(self, net: Autoencoding, phase: str) -> Iterator[nn.Parameter]:
        """Give the parameters that a phase trains."""
        del phase
        return net.parameters()

    # ------------------------------------------------------------------ learning

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return all that a step on rows (B, D) draws at random, on their device, float32."""
        del generator, x, n_components
        return {}

    @abstractmethod
    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return each term of the loss, a value per row (B,); the loop adds and reduces them."""

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return per row (B,) what chooses the best state, given its clipped reconstruction.

        It is measured on rows that training does not see, with the same noise each time.
        """
        del net, step
        return (x_hat - batch.x.float()).square().mean(dim=1)

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say what went wrong in training, a sentence each with what to type; mostly nothing.

        Called once after a fit, with training rows (N, D) in the network's units. That numbers of
        the code do not vary at all is found for every family by `narrows.model.diagnosis`.
        """
        del net, x
        return []

    # ------------------------------------------------------------------ using

    def code(self, net: Autoencoding, x: Tensor) -> Tensor:
        """Return the code (B, K) of rows (B, D), both in the network's units."""
        code: Tensor = net.encoder(x)
        return code

    def reconstruction(self, net: Autoencoding, z: Tensor) -> Tensor:
        """Return the rows (B, D) that codes (B, K) decode to, both in the network's units."""
        x_hat: Tensor = net.decoder(z)
        return x_hat

    def trained_prior(self, net: Autoencoding) -> Prior | None:
        """Return the distribution that codes were trained to follow, where there is one."""
        del net
        return None
