"""Rows in the network's units, drawn in batches, with neighbours where a family asks for them.

Legend: N rows, B batch, D features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.linear.scaling import Scaling
from narrows.objectives.base import Batch
from narrows.sources.protocol import RowNumbers, Source

CACHE_BYTES = 2 << 30
"""Scaled rows are kept up to this size; larger sets are scaled batch by batch."""


class Near(NamedTuple):
    """The neighbours of rows.

    Attributes
    ----------
    numbers : ndarray (N, k) of int64
        Of each row.
    rows : Tensor (M, D) or (M, A), or ScaledRows
        That these numbers count.
    n_partners : int
        Of the k, that a row of a batch comes with.
    """

    numbers: RowNumbers
    rows: Tensor | ScaledRows
    n_partners: int = 1

    @property
    def width(self) -> int:
        """Values in a neighbour."""
        rows = self.rows
        return rows.shape[1] if isinstance(rows, Tensor) else rows.source.n_features

    def of(self, rows: RowNumbers, places: RowNumbers, dtype: torch.dtype) -> Tensor:
        """Return neighbours (B, P, D) of rows (B,), the ones at places (B, P), modulo k."""
        numbers = self.numbers[rows[:, None], places % self.numbers.shape[1]].ravel()
        return self.take(numbers, dtype).reshape(*places.shape, -1)

    def take(self, numbers: RowNumbers, dtype: torch.dtype) -> Tensor:
        """Return the rows of these numbers."""
        on_device = torch.from_numpy(numbers).to(self.rows.device)
        if isinstance(self.rows, Tensor):
            found = self.rows.index_select(0, on_device)
        else:
            found = self.rows.values(numbers, on_device)
        return found.to(dtype)


class ScaledRows:
    """Rows in the network's units and compute dtype, ready to be drawn in batches.

    Parameters
    ----------
    source : Source
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
        self, source: Source, scaling: Scaling, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.source = source
        self.n_rows = source.n_rows
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

    def take(self, rows: RowNumbers) -> Batch:
        """Return rows (B, D), their classes and neighbours, counted within the source.

        Row i gets its neighbours i, i + 1 … modulo k; all of them, where there are k partners.
        """
        n_partners = 1 if self.near is None else self.near.n_partners
        places = rows[:, None] + np.arange(n_partners)
        return self._take(rows, torch.from_numpy(rows).to(self.device), places)

    def _take(self, rows: RowNumbers, chosen: Tensor, places: RowNumbers) -> Batch:
        """Return rows whose numbers are given in NumPy and on the device.

        Of k neighbours, each row gets those at its places (B, P), counted modulo k.
        """
        y = None if self._classes is None else self._classes.index_select(0, chosen)
        near = None if self.near is None else self.near.of(rows, places, self.dtype)
        return Batch(self.values(rows, chosen), y, near)

    def values(self, rows: RowNumbers, chosen: Tensor) -> Tensor:
        """Return rows (B, D) alone, whose numbers are given in NumPy and on the device."""
        if self._cache is not None:
            return self._cache.index_select(0, chosen)
        return self._scaled(self.source.take(rows).astype(np.float64))

    def batches(
        self, batch_size: int, *, seed: int, epoch: int, shuffle: bool = True
    ) -> Iterator[Batch]:
        """Give every row once, in the order of seed and epoch; the last batch may be short."""
        n_rows = self.n_rows
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


class RowsSideBySide:
    """Rows of several networks that are trained as one (`narrows.networks.side_by_side`).

    A pass over its own rows takes each network as many batches as the others. So their batches
    differ in size, and rows of zeros, which count for nothing, fill up the smaller ones.

    Parameters
    ----------
    parts : sequence of ScaledRows
        Of each network, in the units of that.
    batch_size : int
        Rows of one network at the most.

    Attributes
    ----------
    size : int
        Rows of one network in a batch, those of zeros included.
    """

    def __init__(self, parts: Sequence[ScaledRows], batch_size: int) -> None:
        self._n_rows = [part.n_rows for part in parts]
        self._n_batches = math.ceil(max(self._n_rows) / batch_size)
        self.size = math.ceil(max(self._n_rows) / self._n_batches)
        every = [np.arange(n_rows, dtype=np.int64) for n_rows in self._n_rows]
        rows = [part.values(n, torch.from_numpy(n)) for part, n in zip(parts, every, strict=True)]
        self._rows = torch.cat([*rows, torch.zeros_like(rows[0][:1])])

    def batches(self, *, seed: int, epoch: int) -> Iterator[Batch]:
        """Give every row once; row i of a batch belongs to network i modulo M."""
        shape = (self._n_batches, self.size, len(self._n_rows))
        chosen = np.full(shape, len(self._rows) - 1, dtype=np.int64)
        shares = np.zeros(chosen.shape, dtype=np.float32)
        first = 0
        for place, n_rows in enumerate(self._n_rows):
            order = first + np.random.default_rng((seed, epoch, place)).permutation(n_rows)
            for number, part in enumerate(np.array_split(order, self._n_batches)):
                chosen[number, : len(part), place] = part
                shares[number, : len(part), place] = 1 / max(len(part), 1)
            first += n_rows
        for rows, share in zip(torch.from_numpy(chosen), torch.from_numpy(shares), strict=True):
            yield Batch(self._rows.index_select(0, rows.flatten()), shares=share.flatten())
