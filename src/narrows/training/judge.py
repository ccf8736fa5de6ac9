"""Which state of a training is kept: chosen on some held-out rows, judged on others.

The best of many states on some rows looks better there than it is. So each part of the held-out
rows is judged by the state that all *other* parts choose. These judged losses decide whether the
start is left, and tell what is to be expected of new rows.

Legend: S states, the start first; N held-out rows; P parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_PARTS = 5
SAME_LOSS = 1e-6
"""Relative difference up to which two losses count as one, rounded in two ways."""
ROW_DEVIATES = 3.0
"""Standard errors, from rows, by which the gains that decide must lie above zero.

Two would be too few: where all parts choose the same lucky state and there is no real gain, judged
gains have a standard deviation of 1.6 such errors."""
PART_DEVIATES = 2.25
"""The same from the means of parts, each of which shares a training or a choice."""
PLAIN_DEVIATES = 1.75
"""The same, from rows, for plain gains where relative ones decide."""


@dataclass(frozen=True)
class Choice:
    """What `choose` found.

    ``best`` is the state with the smallest mean loss of all, ``by_row`` (N,) what each row is
    judged by; ``leaves_start`` tells whether the judged gain stands out from noise.
    """

    best: int
    leaves_start: bool
    by_row: Ints

    def judged(self, values: ArrayLike) -> Floats:
        """Take from values (S, N), for each row, that of the state it is judged by."""
        taken: Floats = np.take_along_axis(np.asarray(values), self.by_row[None], axis=0)[0]
        return taken.astype(np.float64)


def choose(losses: ArrayLike, parts: ArrayLike, *, absolute: bool = False) -> Choice:
    """Choose a state, and tell whether it is to be kept in place of the start.

    Parameters
    ----------
    losses : array (S, N)
        Of every measured state, in the order of training, on every held-out row. A state with a
        loss that is not finite is never chosen.
    parts : array of int (N,)
        Part of each row. Rows whose losses depend on each other, by a training that they share or
        because they are compared, lie in one part.
    absolute : bool
        Losses have no natural zero, so that only plain gains count.
    """
    losses = np.asarray(losses, dtype=np.float64)
    parts = np.unique(np.asarray(parts), return_inverse=True)[1].reshape(-1).astype(np.int64)
    finite = np.isfinite(losses).all(axis=1)
    by_row = np.zeros(losses.shape[1], dtype=np.int64)
    if not len(by_row) or not finite[0]:
        return Choice(0, False, by_row)
    n_parts = int(parts.max()) + 1
    sums = np.stack([losses[:, parts == p].sum(axis=1) for p in range(n_parts)])
    sums[:, ~finite] = np.inf  # (P, S)
    best = _smallest(sums.sum(axis=0))
    if n_parts > 1:
        others = [_smallest(np.delete(sums, p, axis=0).sum(axis=0)) for p in range(n_parts)]
        by_row = np.array(others, dtype=np.int64)[parts]
    after = Choice(best, False, by_row).judged(losses)
    leaves = best > 0 and _stands_out(losses[0], after, parts, absolute)
    return Choice(best, leaves, by_row)


def dealt(n_rows: int, seed: int) -> Ints:
    """Return a part for each row (N,), dealt out by chance; the same seed deals the same."""
    return np.random.default_rng(seed).permutation(n_rows) % N_PARTS


def is_smaller(loss: float, than: float) -> bool:
    """Tell whether a loss is smaller than one before it by more than rounding."""
    return loss < than - SAME_LOSS * abs(than)


def _smallest(losses: Floats) -> int:
    """Return the place of the smallest loss; of several that count as one, the first."""
    best = 0
    for place, loss in enumerate(losses):
        best = place if is_smaller(loss, losses[best]) else best
    return best


def _stands_out(before: Floats, after: Floats, parts: Ints, absolute: bool) -> bool:
    """Tell whether losses have become smaller, row by row and part by part.

    Gains relative to ``before + after`` give each row one voice, so that no far-off row drowns the
    others or makes up a gain. But what counts is the mean loss, so plain gains must rise above zero
    too, and by more where a few rows lose much, for the worst such row may not have been seen.
    """
    if parts.max() == 0 or not is_smaller(after.sum(), before.sum()):
        return False
    gains, total = before - after, before + after
    deciding, plain_deviates = gains, ROW_DEVIATES
    if not absolute and before.min() >= 0 and after.min() >= 0:
        deciding = np.divide(gains, total, out=np.zeros_like(gains), where=total > 0)
        plain_deviates = PLAIN_DEVIATES
    part_means = np.bincount(parts, deciding) / np.bincount(parts)
    return (
        _lies_above_zero(deciding, ROW_DEVIATES)
        and _lies_above_zero(part_means, PART_DEVIATES)
        and _lies_above_zero(gains, plain_deviates, skewed=True)
    )


def _lies_above_zero(values: Floats, deviates: float, *, skewed: bool = False) -> bool:
    """Tell whether a mean lies so many standard errors of the normal law above zero.

    By the expansions of Cornish and Fisher for few values, and for ``skewed`` ones, of which one
    standard error is needed at the least.
    """
    n, z = len(values), deviates
    needed = z + (z**3 + z) / (4 * (n - 1)) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * (n - 1) ** 2)
    mean = float(values.mean())
    deviation = math.sqrt(float(((values - mean) ** 2).mean()))
    if skewed and deviation > 0:
        skewness = float((((values - mean) / deviation) ** 3).mean())
        needed = max(needed - skewness * (1 + 2 * z * z) / (6 * math.sqrt(n)), 1.0)
    return mean > needed * deviation / math.sqrt(n - 1)
