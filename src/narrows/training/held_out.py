"""Rows that training does not see, and what networks do on them.

Legend: N held-out rows, D features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from narrows.common.blocks import evenly_spread, rows_at_once, slices
from narrows.linear.neighbors import Floats32, compact, nearest, nearest_rows
from narrows.linear.pca import PrincipalComponents
from narrows.linear.scaling import Scaling
from narrows.model.size_curve import lengths_to_measure
from narrows.networks import Autoencoding, Network, OnAxes
from narrows.objectives import Batch, Bounds, Objective, Reconstruction, Step
from narrows.objectives.ordered import Loss
from narrows.sources.protocol import Source
from narrows.training.afterwards import MOST_CURVE_CODES
from narrows.training.batches import Near, ScaledRows
from narrows.training.judge import N_PARTS
from narrows.training.loop import drawn
from narrows.training.plan import Plan

Errors = NDArray[np.float32]
"""Held-out errors of rows, in the network's units; float32, because many are kept."""
Curve = NDArray[np.float64]
"""Mean squared errors of codes cut to each length, in the network's units."""
Interval = tuple[float, float]

LOSS, SQUARES = 0, 1
"""Columns of held-out errors: the family's loss, and the mean squared error per value."""
HELD_OUT_VALUES = 1 << 24
"""Values of held-out rows that go through at once (64 MiB), where 1,024 rows have more."""
SCORED_ROWS = 4096
"""Rows that are scored on principal axes at once."""
COMPARED_ROWS = 512
"""Training rows that held-out rows are compared with, where neighbours count."""
NEAR_VALUES = 1 << 19
"""Values, over all held-out rows, of the neighbours that they are judged by; at least one each."""


class HeldOut:
    """Rows that training does not see, and the error of a network on each.

    Parameters
    ----------
    source : Source
    scaling : Scaling
        Of the training rows.
    plan : Plan
    bounds : (float, float) or None
        In data units.
    most_curve_codes : int
        Codes, each length of each row being one, that a size curve is measured by at the most.
    """

    def __init__(
        self,
        source: Source,
        scaling: Scaling,
        plan: Plan,
        bounds: Interval | None,
        most_curve_codes: int = MOST_CURVE_CODES,
    ) -> None:
        self._objective: Objective = plan.objective
        self._loss = plan.loss
        self._n_components, self._seed = plan.n_components, plan.seed
        self._rows = ScaledRows(source, scaling, torch.float32, plan.device)
        self._bounds = scaled_bounds(bounds, self._rows, plan.network)
        divisor = scaling.divisor.cpu().numpy()
        # One common divisor is undone; where each column has its own, errors stay in deviations.
        self._unit = float(divisor[0]) if divisor.size == 1 else 1.0
        self._n_parts = 1 if plan.split.n_folds else N_PARTS
        needs = self._objective.needs
        # Rows with neighbours are compared with training rows, and not with each other.
        self._couples_rows = bool(needs.couples_rows) and not needs.n_neighbors
        self._others: Tensor | None = None
        self.n_rows, self._most_curve_codes = source.n_rows, most_curve_codes

    def look_around(self, compact_rows: Floats32, near: Near, pca: PrincipalComponents) -> None:
        """Find the neighbours that these rows have among training rows, and what is compared.

        Parameters
        ----------
        compact_rows : ndarray (n, axes)
            Of the training rows, as `find_neighbors` gave them.
        near : Near
            Neighbours of the training rows among themselves.
        pca : PrincipalComponents
        """
        own = compact(self._rows.source.blocks, pca, self._rows.scaling)
        numbers = nearest(own, compact_rows, near.numbers.shape[1])
        most = NEAR_VALUES // (self.n_rows * near.width)
        self._rows.near = Near(numbers, near.rows, min(max(most, 1), numbers.shape[1]))
        compared = evenly_spread(len(compact_rows), COMPARED_ROWS)
        self._others = near.take(compared, self._rows.dtype)

    @property
    def n_near(self) -> int:
        """Neighbours that each of these rows is measured by."""
        return 0 if self._rows.near is None else self._rows.near.n_partners

    def errors(self, net: Autoencoding) -> Errors:
        """Return per row (N, 2) the family's held-out loss, and the mean squared error.

        The loss is in the unit that the family states, the error in the network's units.
        """
        return self._errors(net, self._objective, self._loss)

    def reported(self, squares: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Bring squared errors from the network's units to those that are reported.

        Squared data units, or squared standard deviations of each column where each has its own.
        """
        found: NDArray[np.float64] = squares.astype(np.float64) * self._unit**2
        return found

    @property
    def parts(self) -> NDArray[np.int64] | None:
        """Part (N,) of each row, where rows of a part are compared with each other; else None."""
        if not self._couples_rows:
            return None
        blocks = [np.full(len(rows), number) for number, rows in self._parts()]
        return np.concatenate(blocks)

    @torch.no_grad()
    def curve(self, net: Autoencoding, *, pca: bool = False) -> Curve:
        """Return mean squared errors (1 + L,) of codes cut to nothing, and to each length.

        ``pca`` tells that the network is PCA's. Where rows and lengths are many, by some of the
        rows, evenly spread.
        """
        objective = Reconstruction() if pca else self._objective
        cuts = (0, *lengths_to_measure(self._n_components))
        was_training = net.training
        net.eval()
        sums, n_rows = np.zeros(len(cuts)), 0
        for _, batch in self._blocks(self.n_curve_codes // len(cuts)):
            z_BK = objective.code(net, batch.x)
            n_rows += len(batch.x)
            for place, length in enumerate(cuts):
                shorter_BK = z_BK.clone()
                shorter_BK[:, length:] = 0
                x_hat_BD = self._clipped(objective.reconstruction(net, shorter_BK))
                squares_D = (x_hat_BD - batch.x).square_().sum(dim=0).cpu().double()
                sums[place] += float(squares_D.mean())
        net.train(was_training)
        curve: Curve = sums / n_rows
        return curve

    @property
    def n_curve_codes(self) -> int:
        """Codes that a size curve is measured by, each length of each row being one."""
        n_cuts = 1 + len(lengths_to_measure(self._n_components))
        return n_cuts * max(1, min(self.n_rows, self._most_curve_codes // n_cuts))

    def squared_errors(self, net: Autoencoding) -> Errors:
        """Return (N, 2) as for the plain autoencoder, for a network that belongs to no family."""
        return self._errors(net, Reconstruction(), Reconstruction())

    @torch.no_grad()
    def _errors(self, net: Autoencoding, objective: Objective, loss: Loss) -> Errors:
        was_training = net.training
        net.eval()
        found = []
        for number, batch in self._blocks():
            x_hat_BD = self._clipped(objective.reconstruction(net, objective.code(net, batch.x)))
            noise = drawn(loss, batch.x, self._n_components, (self._seed, number))
            step = Step(noise, self._bounds)
            loss_B = loss.held_out_loss(net, batch, step, x_hat_BD)
            squares_B = (x_hat_BD - batch.x).cpu().double().square_().mean(dim=1)
            found.append(torch.stack([loss_B.cpu().double(), squares_B], dim=1))
        net.train(was_training)
        errors: Errors = torch.cat(found).numpy().astype(np.float32)
        return errors

    def _parts(self, most_rows: int | None = None) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Give the numbers of all rows in blocks, numbered, or of some rows, evenly spread."""
        chosen = evenly_spread(self.n_rows, most_rows or self.n_rows)
        size = rows_at_once(self._rows.source.n_features, HELD_OUT_VALUES, 1024)
        if self._couples_rows:
            # A family that compares rows does so within a part, so that parts are independent.
            chosen = np.random.default_rng(self._seed).permutation(chosen)
            size = min(size, math.ceil(len(chosen) / self._n_parts))
        for number, part in enumerate(slices(len(chosen), size)):
            yield number, chosen[part]

    def _blocks(self, most_rows: int | None = None) -> Iterator[tuple[int, Batch]]:
        """Give the rows of `_parts`, in the network's units."""
        for number, rows in self._parts(most_rows):
            yield number, self._rows.take(rows)._replace(others=self._others)

    def _clipped(self, x_hat: Tensor) -> Tensor:
        return x_hat if self._bounds is None else x_hat.clamp(*self._bounds)


def find_neighbors(
    rows: ScaledRows, pca: PrincipalComponents, plan: Plan, encoder: nn.Module
) -> Floats32 | None:
    """Find the neighbours of training rows, for a family that asks for them.

    Parameters
    ----------
    rows : ScaledRows
    pca : PrincipalComponents
        Of these rows.
    plan : Plan
    encoder : nn.Module
        If it reads scores on principal axes, neighbours are kept as such scores.

    Returns
    -------
    ndarray (N, axes) or None
        Rows as distances are taken between them.
    """
    if not plan.n_neighbors:
        return None
    found = compact(rows.source.blocks, pca, rows.scaling)
    n_neighbors = max(1, min(plan.n_neighbors, len(found) - 1))
    numbers = nearest_rows(found, n_neighbors, plan.seed)
    rows.near = Near(numbers, _as_read(rows, encoder), plan.objective.needs.n_partners)
    return found


@torch.no_grad()
def _as_read(rows: ScaledRows, encoder: nn.Module) -> Tensor | ScaledRows:
    """Return all rows by the scores (N, A) that an encoder reads, or themselves."""
    if not isinstance(encoder, OnAxes):
        return rows
    blocks = rows.batches(SCORED_ROWS, seed=0, epoch=0, shuffle=False)
    return torch.cat([encoder.scores(block.x.float()).to(rows.dtype) for block in blocks])


def scaled_bounds(bounds: Interval | None, rows: ScaledRows, network: Network) -> Bounds | None:
    """Bring bounds to the network's units, each (D,), rounded as the rows are.

    Bounds that the network's outputs keep to of themselves are left out.
    """
    if bounds is None:
        return None
    # All of width D, for torch clamps to a single number in a tensor several times more slowly.
    ends = (torch.full((rows.source.n_features,), end, dtype=torch.float64) for end in bounds)
    low, high = (rows.scaling(end).to(rows.dtype) for end in ends)
    lowest, highest = network.output_range()
    if bool((low <= lowest).all()) and bool((high >= highest).all()):
        return None
    return Bounds(low.to(rows.device, torch.float32), high.to(rows.device, torch.float32))
