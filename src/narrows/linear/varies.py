"""Whether a column varies, or is constant up to rounding.

Legend: N rows, D columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array64 = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
ROUNDINGS = 2.0
"""Rounding errors of one value up to which deviations count as noise."""


@dataclass(frozen=True)
class Rounding:
    """How exactly the values of columns are known.

    Attributes
    ----------
    epsilon : float
        Relative rounding of the dtype that the data came in.
    origin : ndarray (D,) or float
        What was subtracted from the columns before, in the units that they have now.
    """

    epsilon: float = EPSILON
    origin: Array64 | float = 0.0


EXACT = Rounding()
CODES = Rounding(float(np.finfo(np.float32).eps))
"""Of codes, whatever their dtype: networks are trained in float32."""


def rounding_of(dtype: DTypeLike) -> Rounding:
    """Return how exactly data of a dtype are known; whole numbers as exactly as float64."""
    kind = np.dtype(dtype)
    return Rounding(max(float(np.finfo(kind).eps), EPSILON)) if kind.kind == "f" else EXACT


def without_noise(
    variances: Array64, mean: Array64, n_rows: int, rounding: Rounding = EXACT
) -> Array64:
    """Return the variances (D,) of columns, with 0 where rounding alone explains them.

    The bound ``N ε v + (N ε m)²`` is scikit-learn's (`sklearn.preprocessing.StandardScaler`), for a
    column of mean m and variance v; the dtype of the data adds its own rounding.
    """
    size = np.abs(mean) + np.abs(rounding.origin)
    noise = max(n_rows * EPSILON, ROUNDINGS * rounding.epsilon) * size
    return np.where(variances <= n_rows * EPSILON * variances + noise**2, 0.0, variances)


def deviations(values: NDArray[np.generic], rounding: Rounding | None = None) -> Array64:
    """Return the standard deviation (D,) of columns (N, D), 0 where rounding explains it.

    Values are as exact as their dtype unless ``rounding`` says otherwise.
    """
    in_float64 = values.astype(np.float64)
    mean, variances = in_float64.mean(axis=0), in_float64.var(axis=0)
    return np.sqrt(
        without_noise(variances, mean, len(values), rounding or rounding_of(values.dtype))
    )
