"""Rows of an array in memory, or memory-mapped from a file.

Legend: N rows, B batch, D features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.objectives.base import Batch
from narrows.scaling import Scaling

Rows = NDArray[np.int64]
BLOCK_VALUES = 1 << 22
"""Values in one block of float64 rows (32 MiB), the bound on temporary copies."""
CACHE_BYTES = 2 << 30
"""Scaled rows are kept up to this size; larger sets are scaled batch by batch."""


class ArraySource:
    """Some or all rows of a two-dimensional array, read without copying the whole.

    Parameters
    ----------
    X : ndarray (N, D), any real dtype
    rows : ndarray of int64, optional
        Which rows, in this order; all by default.
    y : ndarray (N,) of int64, optional
        The class of each row of ``X``, counted from 0.
    """

    def __init__(
        self, X: NDArray[np.generic], rows: Rows | None = None, y: Rows | None = None
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

    def subset(self, rows: Rows) -> ArraySource:
        """Return the source of some rows, counted within this one."""
        return ArraySource(self.X, rows if self.rows is None else self.rows[rows], self.y)

    def take(self, rows: Rows | slice) -> NDArray[np.generic]:
        """Return rows (n, D) in the array's own dtype, counted within this source."""
        chosen: NDArray[np.generic] = self.X[rows if self.rows is None else self.rows[rows]]
        return chosen

    def classes(self) -> Rows | None:
        """Return the classes of all rows of this source, where there are any."""
        return self.y if self.y is None or self.rows is None else self.y[self.rows]

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Give all rows in order, in float64 blocks of bounded size."""
        size = max(1, BLOCK_VALUES // max(self.n_features, 1))
        for start in range(0, self.n_rows, size):
            yield self.take(slice(start, start + size)).astype(np.float64)


class Near(NamedTuple):
    """The neighbours of rows.

    Attributes
    ----------
    numbers : ndarray (N, k) of int64
        Of each row.
    rows : Tensor (M, D) or (M, A), or ScaledRows
        That these numbers count.
    n_partners : int
        Of the k, drawn anew for each batch.
    """

    numbers: Rows
    rows: Tensor | ScaledRows
    n_partners: int = 1

    def of(self, rows: Rows, places: Rows, dtype: torch.dtype) -> Tensor:
        """Return neighbours (B, P, D) of rows (B,), the ones at places (B, P), modulo k."""
        numbers = self.numbers[rows[:, None], places % self.numbers.shape[1]].ravel()
        on_device = torch.from_numpy(numbers).to(self.rows.device)
        if isinstance(self.rows, Tensor):
            found = self.rows.index_select(0, on_device)
        else:
            found = self.rows.values(numbers, on_device)
        return found.to(dtype).reshape(*places.shape, -1)


class ScaledRows:
    """Rows in the network's units and compute dtype, ready to be drawn in batches.

    Parameters
    ----------
    source : ArraySource
    scaling : Scaling
        Applied in float64 before rounding to ``dtype``, so that a large mean costs no digits.
    dtype : torch.dtype
    device : torch.device

    Attributes
    ----------
    near : Near or None
        Where it is set, batches hold neighbours of each row, too.
    """

    near: Near | None = None

    def __init__(
        self, source: ArraySource, scaling: Scaling, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.source = source
        self.scaling = scaling
        self.dtype = dtype
        self.device = device
        classes = source.classes()
        self._classes = None if classes is None else torch.from_numpy(classes).to(device)
        n_bytes = source.n_rows * source.n_features * dtype.itemsize
        self._cache = self._all_rows() if n_bytes <= CACHE_BYTES else None

    def _all_rows(self) -> Tensor:
        shape = (self.source.n_rows, self.source.n_features)
        rows = torch.empty(shape, dtype=self.dtype, device=self.device)
        start = 0
        for block in self.source.blocks():
            rows[start : start + len(block)] = self._scaled(block)
            start += len(block)
        return rows

    def _scaled(self, block: NDArray[np.float64]) -> Tensor:
        scaled: Tensor = self.scaling(torch.from_numpy(block))
        return scaled.to(self.device, self.dtype)

    def take(self, rows: Rows) -> Batch:
        """Return rows (B, D), their classes and a neighbour each, counted within the source."""
        return self._take(rows, torch.from_numpy(rows).to(self.device), rows[:, None])

    def _take(self, rows: Rows, chosen: Tensor, places: Rows) -> Batch:
        """Return rows whose numbers are given in NumPy and on the device.

        Of k neighbours, each row gets those at its places (B, P), counted modulo k.
        """
        y = None if self._classes is None else self._classes.index_select(0, chosen)
        near = None if self.near is None else self.near.of(rows, places, self.dtype)
        return Batch(self.values(rows, chosen), y, near)

    def values(self, rows: Rows, chosen: Tensor) -> Tensor:
        """Return rows (B, D) alone, whose numbers are given in NumPy and on the device."""
        if self._cache is not None:
            return self._cache.index_select(0, chosen)
        return self._scaled(self.source.take(rows).astype(np.float64))

    def batches(
        self, batch_size: int, *, seed: int, epoch: int, shuffle: bool = True
    ) -> Iterator[Batch]:
        """Give every row once, in the order of seed and epoch; the last batch may be short."""
        n_rows = self.source.n_rows
        order = np.arange(n_rows, dtype=np.int64)
        places = order[:, None]
        rng = np.random.default_rng((seed, epoch))
        if shuffle:
            order = rng.permutation(n_rows)
        if self.near is not None:
            n_near = self.near.numbers.shape[1]
            places = rng.integers(n_near, size=(n_rows, self.near.n_partners))
        # Moved to the device at once: each transfer waits until the device has nothing to do.
        on_device = torch.from_numpy(order).to(self.device)
        for start in range(0, n_rows, batch_size):
            part = slice(start, start + batch_size)
            yield self._take(order[part], on_device[part], places[part])


def held_out_rows(n_rows: int, n_held_out: int, seed: int) -> Rows:
    """Return the row numbers with the smallest hash of (seed, row number), in rising order.

    The hash is the finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014), so a row's fate does not depend on how many rows there are.
    """
    order = np.argsort(_hashes(n_rows, seed), kind="stable")
    return np.sort(order[:n_held_out])


def folds(n_rows: int, n_folds: int, seed: int) -> list[Rows]:
    """Cut the rows, ordered by their hash, into parts whose sizes differ by one at most."""
    order = np.argsort(_hashes(n_rows, seed), kind="stable")
    return [np.sort(part) for part in np.array_split(order, n_folds)]


def count_held_out(n_rows: int, fraction: float) -> int:
    """Return ⌈fraction × n⌉, but leave at least one row to train on."""
    return min(math.ceil(fraction * n_rows), n_rows - 1)


def _hashes(n_rows: int, seed: int) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        state = np.arange(1, n_rows + 1, dtype=np.uint64) + np.uint64(seed) * np.uint64(1 << 32)
        state = state * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))
