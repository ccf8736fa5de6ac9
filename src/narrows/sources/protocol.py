"""What training needs of rows, wherever they come from.

Legend: N rows, D features.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from narrows.linear.varies import Rounding

RowNumbers = NDArray[np.int64]
"""Numbers of rows, counted from 0."""
ClassNumbers = NDArray[np.int64]
"""The class of each row, counted from 0."""


class Source(Protocol):
    """Rows (N, D) of real numbers that are read a part at a time."""

    @property
    def n_rows(self) -> int:
        """N."""

    @property
    def n_features(self) -> int:
        """D."""

    @property
    def rounding(self) -> Rounding:
        """How exactly values are known."""

    def subset(self, rows: RowNumbers) -> Source:
        """Return the source of some rows, counted within this one."""

    def take(self, rows: RowNumbers | slice) -> NDArray[np.generic]:
        """Return rows (n, D) in their own dtype, counted within this source."""

    def classes(self) -> ClassNumbers | None:
        """Return the classes (N,) of all rows, where there are any."""

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Give all rows in order, in float64 blocks of bounded size."""
