"""Which rows are held out, and which fold a row belongs to: by a hash of seed and row number.

Legend: N rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrows.sources.protocol import RowNumbers


def held_out_rows(n_rows: int, n_held_out: int, seed: int) -> RowNumbers:
    """Return the row numbers with the smallest hash of (seed, row number), in rising order.

    The hash is the finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014). The hash of a row does not depend on the number of rows.
    """
    order = np.argsort(_hashes(n_rows, seed), kind="stable")
    return np.sort(order[:n_held_out])


def folds(n_rows: int, n_folds: int, seed: int) -> list[RowNumbers]:
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


@dataclass(frozen=True)
class Split:
    """The rule by which `fit` held rows out; a model keeps it.

    Attributes
    ----------
    n_rows : int
        Rows that `fit` was given.
    n_held_out : int
        Rows of the single held-out part; 0 for none.
    n_folds : int
        Folds of the cross-fitting, each held out once; 0 for none.
    seed : int
        Of the hash.
    """

    n_rows: int
    n_held_out: int = 0
    n_folds: int = 0
    seed: int = 0

    @property
    def holds_out(self) -> bool:
        """Tell whether any row is held out."""
        return self.n_held_out > 0 or self.n_folds > 0

    @property
    def n_train_rows(self) -> int:
        """Rows that one run trains on."""
        return self.n_rows - (self.n_rows // self.n_folds if self.n_folds else self.n_held_out)

    def parts(self) -> list[RowNumbers]:
        """Return the held-out rows of each run: one part, each fold, or nothing."""
        if self.n_folds:
            return folds(self.n_rows, self.n_folds, self.seed)
        return [held_out_rows(self.n_rows, self.n_held_out, self.seed)] if self.n_held_out else []
