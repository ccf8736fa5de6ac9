"""What a fit will do, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from narrows.common.optimizers import Optimizer
from narrows.linear.neighbors import neighbor_memory
from narrows.linear.patches import Cells
from narrows.networks import Network, Widths
from narrows.networks.base import AXES
from narrows.objectives import Objective
from narrows.objectives.ordered import Loss, loss_of
from narrows.sources.split import Split
from narrows.training.batches import CACHE_BYTES

MARGIN = 0.95
"""Part of the time left that steps are laid out for; the rest absorbs a machine's drift."""
N_EVALUATIONS = 24
"""Times that the held-out error is measured over a run whose learning rate falls."""
SMALL_STEP = 2e8
"""Arithmetic of a step below which one thread is faster than several."""


@dataclass(frozen=True)
class Plan:
    """What a fit will do, in numbers.

    Attributes
    ----------
    n_rows, n_features, n_components : int
    widths : Widths
        Of encoder and decoder.
    network : Network
        With nothing left to choose.
    objective : Objective
    optimizer : Optimizer
    n_parameters, n_products : int
        Trainable numbers, and multiplications of one row; the linear path included.
    batch_size : int
        Rows per optimizer step.
    n_steps : int or None
        Optimizer steps per run; None until a short timing has fixed it (``max_seconds``).
    most_steps : int
        Most steps that ``max_seconds`` may be turned into.
    split : Split
        Which rows are held out.
    device : torch.device
    dtype : torch.dtype
        That training computes in.
    learning_rate : float
    schedule : str
    patience : int
        Measurements of the held-out error without a gain after which a run stops.
    seed : int
    cells : Cells or None
        What pictures are cut into that are too large for a PCA of whole ones.
    n_neighbors : int
        Of each row, for a family that asks for them; 0 for none.
    learns_from_all : bool
        Whether a network learns from all rows, beside those that are judged on rows they have not
        seen: where rows are few. It depends on the data alone, so that ``max_steps=n_steps_``
        repeats what ``max_seconds`` made.
    side_by_side : bool
        Whether all of these networks are trained as one.
    """

    n_rows: int
    n_features: int
    n_components: int
    widths: Widths
    network: Network
    objective: Objective
    optimizer: Optimizer
    n_parameters: int
    n_products: int
    batch_size: int
    n_steps: int | None
    most_steps: int
    split: Split
    device: torch.device
    dtype: torch.dtype
    learning_rate: float
    schedule: str
    patience: int
    seed: int
    cells: Cells | None = None
    n_neighbors: int = 0
    learns_from_all: bool = False
    side_by_side: bool = False

    @property
    def loss(self) -> Loss:
        """What training minimises: that of the family, or of ordered codes."""
        return loss_of(self.objective, ordered=self.widths.ordered)

    @property
    def n_axes(self) -> int:
        """Principal components that a run needs: as many as the code has, or distances ask for."""
        most = AXES if self.n_neighbors and self.cells is None else 0
        return min(max(self.n_components, most), self.n_features)

    def n_warm_up(self, n_steps: int) -> int:
        """Return over how many steps the learning rate rises, for a run of some length."""
        if self.schedule == "averaged":
            return min(20, n_steps)
        return math.ceil(0.03 * n_steps)

    def evaluation_steps(self, n_steps: int) -> set[int]:
        """Return the steps at which the held-out error is measured.

        Evenly spread where the learning rate falls; else, since few rows are soon learned by
        heart, at steps that grow by about a third.
        """
        if self.schedule != "averaged":
            return {round(n_steps * i / N_EVALUATIONS) for i in range(1, N_EVALUATIONS + 1)}
        steps, step = {n_steps}, 25.0
        while step < n_steps:
            steps.add(round(step))
            step *= 4 / 3
        return steps

    def threads(self, available: int) -> int:
        """Return how many of the available threads a run should use."""
        return 1 if self.flops(1) < SMALL_STEP else available

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps that see every training row once."""
        n_rows = self.n_rows if self.side_by_side else self.split.n_train_rows
        return math.ceil(n_rows / self.batch_size)

    def flops(self, n_steps: int) -> float:
        """Return the arithmetic of a network's steps: 2 per product and row forward, 4 backward."""
        return 6.0 * self.n_products * self.batch_size * n_steps

    @property
    def n_nets(self) -> int:
        """Networks that a fit trains at the most: of folds or one, and one more on all rows."""
        return max(self.split.n_folds, 1) + self.learns_from_all

    @property
    def n_runs(self) -> int:
        """Runs that a fit makes at the most: one for each network, or one for all."""
        return 1 if self.side_by_side else self.n_nets

    def steps_in(self, seconds: float, per_step: float, per_run: float) -> int:
        """Return how many steps each of the remaining runs may take, at least one.

        Parameters
        ----------
        seconds : float
            Until the deadline.
        per_step : float
            Seconds of one step.
        per_run : float
            Seconds that each further run takes beside its steps: PCA, rows, evaluations.
        """
        n_steps = (MARGIN * seconds / self.n_runs - per_run) / per_step
        return int(max(1, min(n_steps, self.most_steps)))

    @property
    def memory(self) -> int:
        """Bytes that a fit takes beside the data: scaled rows, network, optimizer, covariance."""
        rows = min(self.n_rows * self.n_features * self.dtype.itemsize, CACHE_BYTES)
        together = self.n_nets if self.side_by_side else 1
        network = self.n_parameters * (4 * 5 + 2 * self.dtype.itemsize)
        activations = self.batch_size * (self.n_features * 8 + self.n_parameters // 100) * 4
        covariance = 3 * 8 * min(self.n_features, self.n_rows, 4096) * self.n_features
        return together * (rows + network + activations) + covariance + self.graph_memory

    @property
    def graph_memory(self) -> int:
        """Bytes that finding neighbours takes."""
        if not self.n_neighbors:
            return 0
        return neighbor_memory(self.split.n_train_rows, self.n_axes, self.n_neighbors)
