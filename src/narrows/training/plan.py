"""What a fit will do, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from narrows.common.optimizers import (
    FALL_AT_THE_END,
    FALL_FROM_THE_START,
    Optimizer,
    fall_begins,
)
from narrows.linear.neighbors import neighbor_memory
from narrows.linear.patches import Cells
from narrows.networks import Network, Widths
from narrows.networks.base import AXES
from narrows.objectives import Objective
from narrows.objectives.ordered import Loss, loss_of
from narrows.sources.split import Split
from narrows.training.batches import CACHE_BYTES
from narrows.training.pace import ENDLESS, Pace

N_EVALUATIONS = 24
"""Times that the held-out error is measured over a run whose learning rate falls throughout."""
EVALUATIONS_OF_FALL = 4
"""The same over a fall at the end of a run."""
MEASURED_PART = 0.1
"""Part of the time of steps that measurements may take while the learning rate stays the same."""
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
        Optimizer steps per run; None where ``max_seconds`` ends it.
    most_steps, n_usual : int
        Most steps that a run against time takes, and those of a run without a limit.
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
    n_usual: int
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

    def pace(self, until: int | None = None) -> Pace:
        """Return the pace of a run, to its end or to an earlier step; open without a number."""
        n_steps = self.n_steps or ENDLESS
        return Pace(
            self.schedule,
            n_steps,
            n_steps if until is None else until,
            n_warm_up=self._n_warm_up(n_steps),
            n_usual=self.n_usual,
        )

    def _n_warm_up(self, n_steps: int) -> int:
        """Return over how many steps the learning rate rises.

        A number of its own where the end may be open.
        """
        if self.schedule in FALL_FROM_THE_START:
            return math.ceil(0.03 * n_steps)
        return 60 if self.schedule in FALL_AT_THE_END else 20

    def evaluation_steps(self, n_steps: int) -> set[int]:
        """Return the steps at which the held-out error is measured.

        Evenly spread where the learning rate falls from the start; else, since few rows are soon
        learned by heart, at steps that grow by about a third, and a few times in the last fall.
        """
        if self.schedule in FALL_FROM_THE_START:
            return {round(n_steps * i / N_EVALUATIONS) for i in range(1, N_EVALUATIONS + 1)}
        begun, gap = fall_begins(self.schedule, n_steps), self._measuring_steps / MEASURED_PART
        steps, step = {n_steps}, max(25.0, gap)
        while step < begun:
            steps.add(round(step))
            step = max(step * 4 / 3, step + gap)
        n_of_fall = self.evaluations_of_fall(n_steps - begun)
        return steps | {begun + (n_steps - begun) * i // n_of_fall for i in range(1, n_of_fall)}

    def evaluations_of_fall(self, n_steps: int) -> int:
        """Return how often the held-out error is measured in a fall of so many steps."""
        gap = self._measuring_steps / MEASURED_PART
        return max(1, min(EVALUATIONS_OF_FALL, int(n_steps / max(gap, 1.0))))

    @property
    def _measuring_steps(self) -> float:
        """Steps that take as long as a measurement; 0 where steps are small."""
        if self.schedule not in FALL_AT_THE_END:
            return 0.0
        return self.split.n_held_out / (3 * self.batch_size)

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
