"""Sums over rows that come in blocks: means, variances, cross products.

Everything is added up in float64 about a shift near the mean, so that neither a large mean nor a
column a million times larger than the others spoils the result.

Legend: N rows, D columns, b block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from narrows.common.blocks import slices
from narrows.linear.varies import EXACT, Array64, Rounding, without_noise

Blocks = Callable[[], Iterable[Array64]]
CentredBlocks = Callable[[], Iterable[Tensor]]

KEPT_BYTES = 1 << 30
"""Bytes of centred rows that are kept where they are needed several times."""
STRIP = 128
"""Columns whose products with all later ones are summed at once."""
SUMMED_ROWS = 2048
"""Rows whose products are summed before they join the sum of all."""


def column_moments(blocks: Blocks, rounding: Rounding = EXACT) -> tuple[Array64, Array64]:
    """Return the mean and the variance (divisor n − 1) of each column, (D,) each.

    Variances that rounding explains are 0.
    """
    moments = moments_of(blocks, rounding)
    return moments.mean, moments.variances


def moments_of(
    blocks: Blocks, rounding: Rounding, widest: int = 0, dtype: torch.dtype = torch.float64
) -> Moments:
    """Read all blocks once.

    Parameters
    ----------
    blocks : callable
        Returns a fresh iterator over float64 blocks (b, D) each time it is called.
    rounding : Rounding
        Of the data.
    widest : int
        Columns up to which cross products are summed.
    dtype : torch.dtype
        That these are multiplied in.
    """
    moments: Moments | None = None
    for block in blocks():
        if moments is None:
            scatter = block.shape[1] <= widest
            moments = Moments(block.mean(axis=0), rounding, scatter=scatter, dtype=dtype)
        moments.add(block)
    assert moments is not None, "no rows"
    return moments


def centred_blocks(blocks: Blocks, moments: Moments) -> CentredBlocks:
    """Return what gives all blocks about the mean, read once where there is room for them."""

    def centred() -> Iterable[Tensor]:
        return (torch.from_numpy(block - moments.mean) for block in blocks())

    if 8 * moments.n_rows * len(moments.shift) > KEPT_BYTES:
        return centred
    kept = list(centred())
    return lambda: kept


class Moments:
    """Count, sums and (where asked for) cross products of rows about a shift.

    Parameters
    ----------
    shift : ndarray (D,)
        Near the mean.
    rounding : Rounding
        Of the data.
    scatter : bool
        Whether cross products are summed.
    dtype : torch.dtype
        That these are multiplied in; sums are float64.
    """

    def __init__(
        self, shift: Array64, rounding: Rounding, *, scatter: bool, dtype: torch.dtype
    ) -> None:
        self.n_rows = 0
        self.shift = shift
        self._rounding, self._dtype = rounding, dtype
        self.sums = np.zeros_like(shift)
        self._squares = np.zeros_like(shift)
        size = (len(shift), len(shift))
        self.scatter = torch.zeros(size, dtype=torch.float64) if scatter else None

    def add(self, block: Array64) -> None:
        """Add rows (b, D)."""
        deviation = block - self.shift
        self.n_rows += len(block)
        self.sums += deviation.sum(axis=0)
        if self.scatter is None:
            self._squares += np.einsum("bd,bd->d", deviation, deviation)
            return
        # Only on and above the diagonal, strip by strip: half the work of the whole product.
        for rows in torch.from_numpy(deviation).to(self._dtype).split(SUMMED_ROWS):
            for part in slices(len(self.shift), STRIP):
                below = slice(part.start, None)
                self.scatter[part, below] += rows[:, part].T @ rows[:, below]

    @property
    def squares(self) -> Array64:
        """Sums (D,) of squares about the shift."""
        return self._squares if self.scatter is None else self.scatter.diagonal().numpy()

    @property
    def is_finite(self) -> bool:
        """Whether no square was too large for the dtype."""
        return bool(np.isfinite(self.squares).all())

    @property
    def offset(self) -> Array64:
        """Mean (D,) about the shift."""
        return self.sums / self.n_rows

    @property
    def mean(self) -> Array64:
        """Mean (D,) of each column."""
        return self.shift + self.offset

    @property
    def variances(self) -> Array64:
        """Variances (D,) with divisor n − 1; 0 where rounding alone explains them."""
        squares = np.maximum(self.squares - self.n_rows * self.offset**2, 0.0)
        variances = squares / max(self.n_rows - 1, 1)
        return without_noise(variances, self.mean, self.n_rows, self._rounding)

    def centred_scatter(self) -> Tensor:
        """Return the sums (D, D) of products of columns about their means: the upper half."""
        assert self.scatter is not None
        offset = torch.from_numpy(self.offset)
        return self.scatter - self.n_rows * torch.outer(offset, offset)
