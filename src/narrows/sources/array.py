"""Rows of an array in memory, or memory-mapped from a file.

Legend: N rows, D features.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import rows_at_once, slices
from narrows.linear.varies import Rounding, rounding_of
from narrows.sources.protocol import ClassNumbers, RowNumbers

BLOCK_VALUES = 1 << 22
"""Values in one block of float64 rows (32 MiB), the bound on temporary copies."""


class ArraySource:
    """The `Source` of some or all rows of an array, read without copying the whole.

    Parameters
    ----------
    X : ndarray (N, D), any real dtype
    rows : ndarray of int64, optional
        Which rows, in this order; all by default.
    y : ndarray (N,) of int64, optional
        The class of each row of ``X``, counted from 0.
    """

    def __init__(
        self, X: NDArray[np.generic], rows: RowNumbers | None = None, y: ClassNumbers | None = None
    ) -> None:
        self.X = X
        self.rows = rows
        self.y = y

    @property
    def n_rows(self) -> int:
        """Rows of this source."""
        return len(self.X) if self.rows is None else len(self.rows)

    @property
    def n_features(self) -> int:
        """Columns D."""
        return int(self.X.shape[1])

    @property
    def rounding(self) -> Rounding:
        """How exactly values are known."""
        return rounding_of(self.X.dtype)

    def subset(self, rows: RowNumbers) -> ArraySource:
        """Return the source of some rows, counted within this one."""
        return ArraySource(self.X, rows if self.rows is None else self.rows[rows], self.y)

    def take(self, rows: RowNumbers | slice) -> NDArray[np.generic]:
        """Return rows (n, D) in the array's own dtype, counted within this source."""
        chosen: NDArray[np.generic] = self.X[rows if self.rows is None else self.rows[rows]]
        return chosen

    def classes(self) -> ClassNumbers | None:
        """Return the classes of all rows of this source, where there are any."""
        return self.y if self.y is None or self.rows is None else self.y[self.rows]

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Give all rows in order, in float64 blocks of bounded size.

        Blocks are C-contiguous whatever the array's order is, so that sums round alike.
        """
        for part in slices(self.n_rows, rows_at_once(self.n_features, BLOCK_VALUES)):
            yield self.take(part).astype(np.float64, order="C")
