"""What a family of autoencoders states: what it needs, its loss per row, and its code.

One file in this folder is one family. Its fields are its parameters. A new family needs a name, the
units of its terms, and `terms`; all else has a default.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from narrows.common import limits
from narrows.networks.autoencoding import Autoencoding
from narrows.networks.base import Network, Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.priors import Prior
from narrows.objectives.shared.losses import clipped_squared_error

Noise = dict[str, Tensor]
"""What a step draws at random, by name; the first axis of each is the rows of the batch."""
PIXEL_SQUARES = "squared units of the network per feature"
PIXELS = "units of the network per feature"
NATS = "nats per row"
"""Units that most terms of a loss have."""


class Batch(NamedTuple):
    """Rows of one step, in the network's units.

    Attributes
    ----------
    x : Tensor (B, D)
    y : Tensor (B,) of int64, or None
        Classes, counted from 0.
    near : Tensor (B, P, D) or (B, P, A), or None
        P neighbours of each row, for a family that needs them; A scores on principal axes each,
        where the encoder reads those.
    others : Tensor (G, D) or (G, A), or None
        Of held-out rows with neighbours: training rows that they are compared with.
    shares : Tensor (B,), or None
        How much each row counts in the loss; 1 / B each by default.
    """

    x: Tensor
    y: Tensor | None = None
    near: Tensor | None = None
    others: Tensor | None = None
    shares: Tensor | None = None


class Bounds(NamedTuple):
    """The range that reconstructions are clipped to, in the network's units; each (D,)."""

    low: Tensor
    high: Tensor


class Step(NamedTuple):
    """What a step is given beside its rows.

    Attributes
    ----------
    noise : dict of str to Tensor
        As `Objective.draw` gave it.
    bounds : Bounds or None
    progress : float
        How much of the schedule is done, from 0 to 1; 1 outside training.
    phase : str
        One of the family's phases.
    """

    noise: Noise
    bounds: Bounds | None = None
    progress: float = 1.0
    phase: str = "main"


@dataclass(frozen=True)
class Needs:
    """What a family needs of data, network and training, and what its models must keep.

    Attributes
    ----------
    input_range : (float, float) or None
        Range that rows must be scaled to; it overrides ``scaling="auto"``. None for any.
    classes : bool
        Whether `fit` must be given classes ``y``.
    n_neighbors : int
        Neighbours of each row that are found before training.
    n_partners : int
        Of these, how many come with each row of a batch.
    linear_ends : bool
        Whether code and output of the network must be able to take any value, as logits do.
    encoder_outputs : int
        Values that the encoder gives for each number of the code: 2 for mean and log variance.
    phases : tuple of str
        Steps taken one after the other on each batch, each on parameters of its own.
    couples_rows : str
        Why the terms of a row depend on the other rows of its batch; "" where they do not.
    side_by_side : bool
        Whether the terms of a row are made of that row, encoder, decoder and bounds alone, so that
        several networks may be trained as one (`narrows.networks.side_by_side`).
    orderable : bool
        Whether codes may be cut short. The squared errors are then compared with PCA's.
    absolute_gains : bool
        Whether the held-out loss has no natural zero (as nats have none), so that gains are not
        taken relative to it.
    starts_as_pca : bool
        Whether training starts at PCA itself: `start` changes nothing and `build` adds nothing.
    own_fallback : bool
        Whether `fallback` gives another path than `start`.
    density : bool
        Whether `log_weights` gives a density of rows.
    binary_rows : bool
        Whether training draws grey values as 0 or 1.
    corrupts : bool
        Whether training corrupts rows, by `corrupted`, and compares with the clean ones.
    keeps : tuple of str
        What every model of the family can do, one that gained nothing over its start included:
        ``"prior"`` draws rows from the prior of the family, ``"classes"`` draws rows of a class,
        ``"map"`` shows rows by the plane of PCA, ``"discrete"`` gives codes of finitely many
        values.
    """

    input_range: tuple[float, float] | None = None
    classes: bool = False
    n_neighbors: int = 0
    n_partners: int = 1
    linear_ends: bool = False
    encoder_outputs: int = 1
    phases: tuple[str, ...] = ("main",)
    couples_rows: str = ""
    side_by_side: bool = False
    orderable: bool = False
    absolute_gains: bool = False
    starts_as_pca: bool = True
    own_fallback: bool = False
    density: bool = False
    binary_rows: bool = False
    corrupts: bool = False
    keeps: tuple[str, ...] = ()


class Usual(NamedTuple):
    """What ``"auto"`` stands for.

    Attributes
    ----------
    rates : (float, float, float)
        Learning rate below 1,000 rows, below 10,000, and from there on.
    batch_sizes : (int, int, int)
        Rows in a batch, for the same numbers of rows.
    steps : int
        The most below 1,000 rows, the fewest from there to 10,000.
    epochs : int
        The fewest from 1,000 to 10,000 rows.
    patience : int
        Measurements without a gain that end a run, below 10,000 rows.
    weight_decay : float
    networks : (Network, Network) or None
        Below 1,000 rows, and from there on; None for the network of all families.
    schedule : str
        Of the learning rate from 10,000 rows on.
    growth : float
        Power of the number of rows that steps grow with beyond 60,000 rows; 1 for as many epochs.
    """

    rates: tuple[float, float, float] = (0.006, 0.006, 0.002)
    batch_sizes: tuple[int, int, int] = (128, 128, 256)
    steps: int = 1_200
    epochs: int = 20
    patience: int = 2
    weight_decay: float = 0.2
    networks: tuple[Network, Network] | None = None
    schedule: str = "trapezoidal"
    growth: float = 1.0


class Objective(ABC):
    """A family: its loss per row, and the numbers that are the code of a row.

    Attributes
    ----------
    name : str
        As ``objective=`` takes it.
    units : dict of str to str
        Every term that `terms` may give at any settings, with its unit.
    """

    name: ClassVar[str]
    units: ClassVar[dict[str, str]]
    get_params = limits.get_params

    @property
    def needs(self) -> Needs:
        """Return what the family needs, given its fields."""
        return Needs()

    def usual(self, n_components: int) -> Usual:
        """Return what ``"auto"`` stands for, for codes of K numbers.

        From 10,000 rows on the fewer numbers, the lower the learning rate; that of the fewest
        begins high and falls slowly all along.
        """
        if n_components < 4:
            return Usual(rates=(0.006, 0.006, 0.003), schedule="inverse_sqrt")
        return Usual(rates=(0.006, 0.006, 0.002 if n_components < 16 else 0.003))

    def check(self, n_components: int) -> None:
        """Check the fields against each other and against the code size K.

        Raises
        ------
        ParameterError
        """
        del n_components

    def widths(self, n_features: int, n_components: int, **further: Any) -> Widths:
        """Return the sizes of encoder and decoder; ``further`` are other fields of `Widths`.

        Raises
        ------
        ParameterError
            If the fields do not fit each other or the code size.
        """
        self.check(n_components)
        outputs = self.needs.encoder_outputs * n_components
        return Widths(n_features, n_components, outputs, n_features, **further)

    # ------------------------------------------------------------------ start

    def start(self, path: LinearPath) -> LinearPath:
        """Return the linear path that training starts from, given that of PCA."""
        return path

    def fallback(self, path: LinearPath) -> LinearPath:
        """Return the linear path of the model that is returned where training gained nothing."""
        return self.start(path)

    def build(
        self, widths: Widths, path: LinearPath | None, generator: torch.Generator
    ) -> nn.Module | None:
        """Return the family's own parameters and buffers; they are trained and saved too.

        Their shapes depend on ``widths`` alone. ``path`` is where training starts; None for
        ``init="random"`` and for a model that is read from a file.
        """
        del widths, path, generator
        return None

    def n_added(self, widths: Widths) -> int:
        """Count the numbers in all tensors of what `build` returns, without building it."""
        del widths
        return 0

    def meet_classes(self, net: Autoencoding, batches: Iterable[Batch]) -> None:
        """Set, in place, what a network knows of classes at the start.

        Called once before training, for families that need classes, with all training rows and
        their classes, float32, on the CPU.
        """
        del net, batches

    def parameters(self, net: Autoencoding, phase: str) -> Iterator[nn.Parameter]:
        """Give the parameters that a phase trains."""
        del phase
        return net.parameters()

    # ------------------------------------------------------------------ learning

    def draw(self, generator: torch.Generator, x: Tensor, n_components: int) -> Noise:
        """Return all that a step on rows (B, D) draws at random, on their device, float32."""
        del generator, x, n_components
        return {}

    def corrupted(self, net: Autoencoding, x: Tensor, noise: Noise) -> Tensor:
        """Return rows (B, D) as a step shows them to the encoder, in the network's units."""
        del net, noise
        return x

    @abstractmethod
    def terms(self, net: Autoencoding, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return each term of the loss, a value per row (B,); the loop adds and reduces them."""

    def held_out_loss(self, net: Autoencoding, batch: Batch, step: Step, x_hat: Tensor) -> Tensor:
        """Return per row (B,) the loss that chooses the best state, given the clipped output.

        It is measured on rows that training does not see, with the same noise each time.
        """
        del net, step
        return clipped_squared_error(x_hat, batch.x)

    def diagnose(self, net: Autoencoding, x: Tensor) -> list[str]:
        """Say what went wrong in training: a sentence each, with what to type.

        Called once after a fit, with training rows (N, D) in the network's units. That numbers of
        the code do not vary is found for every family by `narrows.model.diagnosis`.
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

    def log_weights(
        self, net: Autoencoding, x: Tensor, noise: Tensor, y: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return log p(x|z) p(z) / q(z|x) and log p(x|z), (S, B) each, in nats.

        Only for a family whose needs state a density.

        Parameters
        ----------
        net : Autoencoding
        x : Tensor (B, D)
        noise : Tensor (S, B, K)
            Standard normal, for S codes of each row.
        y : Tensor (B,), optional
            Classes.
        """
        raise NotImplementedError(f"{self!r} gives no density of rows")
