"""Rows a block at a time, so that memory stays bounded, and rows evenly spread over all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def rows_at_once(width: int, most_values: int, most_rows: int | None = None) -> int:
    """Return how many rows of so many values fit a budget of values; at least one."""
    rows = max(1, most_values // max(width, 1))
    return rows if most_rows is None else min(rows, most_rows)


def slices(n_rows: int, size: int) -> Iterator[slice]:
    """Cut rows into slices of ``size``, the last one maybe shorter."""
    return (slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size))


def evenly_spread(n_rows: int, most: int) -> NDArray[np.int64]:
    """Return at most so many row numbers, evenly spread over all, the first and the last among."""
    chosen = np.linspace(0, n_rows - 1, max(1, min(n_rows, most)))
    return np.unique(chosen.astype(np.int64))
