"""Held-out errors of every prefix of an ordered code, PCA's beside them.

Legend: K code size, L lengths of a prefix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]
EVERY_LENGTH = 128
"""Code size up to which the size curve has every length; beyond it, lengths grow by 2 %."""


def lengths_to_measure(n_components: int) -> tuple[int, ...]:
    """Return the lengths of a size curve: all up to 128, and from there steps of 2 %."""
    lengths = list(range(1, min(n_components, EVERY_LENGTH) + 1))
    while lengths[-1] < n_components:
        lengths.append(min(n_components, math.ceil(lengths[-1] * 1.02)))
    return tuple(lengths)


@dataclass(frozen=True)
class SizeCurve:
    """Held-out errors of every prefix of an ordered code, PCA's beside them.

    Attributes
    ----------
    n_components : ndarray (L,) of int64
        Numbers given: 1 to K, from 128 on in steps of 2 %.
    error, pca_error : ndarray (L,)
        Mean squared error per value, in the unit of ``validation_error_``, both clipped to the
        bounds; where rows and sizes are many, of some held-out rows alone (131,072 codes in all).
    explained, pca_explained : ndarray (L,)
        Part of the held-out variance that comes back: 1 − error / variance, of the columns as
        ``scaling`` leaves them.
    """

    n_components: NDArray[np.int64]
    error: Array64
    pca_error: Array64
    explained: Array64
    pca_explained: Array64

    def smallest(self, fraction: float, *, pca: bool = False) -> int | None:
        """Return how many numbers explain a fraction of the variance; None where none do.

        Parameters
        ----------
        fraction : float
            From 0 to 1.
        pca : bool
            Answer for PCA instead.
        """
        enough = np.flatnonzero((self.pca_explained if pca else self.explained) >= fraction)
        return int(self.n_components[enough[0]]) if len(enough) else None


def size_curve(n_components: int, errors: Array64, pca_errors: Array64) -> SizeCurve:
    """Make a curve of mean squared errors.

    Parameters
    ----------
    n_components : int
        Of whole codes.
    errors, pca_errors : ndarray (1 + L,)
        First without any number, then of each length that `lengths_to_measure` gives.
    """
    variance = pca_errors[0]  # PCA without a number is the mean
    explained, pca_explained = (
        1 - part[1:] / variance if variance > 0 else np.ones(len(part) - 1)
        for part in (errors, pca_errors)
    )
    numbers = np.array(lengths_to_measure(n_components), dtype=np.int64)
    return SizeCurve(numbers, errors[1:], pca_errors[1:], explained, pca_explained)
