"""Between data units and the units that a network computes in, there and back.

The shift and the divisor are buffers of the network, so that encode and decode export whole.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from narrows.common.limits import Limit, interval, nothing, one_of
from narrows.errors import ParameterError
from narrows.linear.varies import EXACT, ROUNDINGS, Rounding

SCALING: Limit = one_of("auto", "standard") | interval() | nothing()
"""What the parameter `scaling` may be."""
LARGEST_UNSCALED = 1e15
"""Size of data, or its inverse, up to which squares stay well within float32."""
FLOAT32_SHARE = 1e-6
"""Part of float32's range that scaling may fill, so that rows of many deviations fit, too."""
CONSTANT_SHARE = 1e-6
"""A constant column is divided by this part of its size, but at least by 1."""


class Scaling(nn.Module):
    """Scale rows by ``(x - shift) / divisor``, column by column or by one common divisor.

    Parameters
    ----------
    shift, divisor : ndarray (D,) or (1,), float64
        In data units; divisors above zero.
    """

    shift: Tensor
    divisor: Tensor

    def __init__(self, shift: NDArray[np.float64], divisor: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("shift", torch.from_numpy(np.array(shift, dtype=np.float64)))
        self.register_buffer("divisor", torch.from_numpy(np.array(divisor, dtype=np.float64)))

    def forward(self, x: Tensor) -> Tensor:
        """Bring rows (B, D) from data units to the network's units."""
        return (x - self.shift) / self.divisor

    def inverse(self, x: Tensor) -> Tensor:
        """Bring rows (B, D) from the network's units back to data units."""
        return x * self.divisor + self.shift

    def fits_float32(self) -> bool:
        """Tell whether float32 holds shift and divisor to its full precision."""
        divisor, limits = self.divisor.abs(), torch.finfo(torch.float32)
        large = max(float(divisor.max()), float(self.shift.abs().max()))
        return float(divisor.min()) >= limits.tiny and large <= FLOAT32_SHARE * limits.max


def choose_scaling(
    scaling: object,
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    low: float,
    high: float,
    rounding: Rounding = EXACT,
) -> Scaling:
    """Turn the parameter `scaling` into a shift and a divisor.

    Parameters
    ----------
    scaling : "auto", "standard", None or (float, float)
        ``"auto"`` centres and divides all columns by one number, the root of their mean variance,
        so that distances and principal components stay what they were. ``"standard"`` centres
        each column and divides it by its own standard deviation. A pair maps the smallest and
        the largest value of the whole data to that pair. None leaves the data alone.
    mean, variance : ndarray (D,)
        Of the columns, in data units and their squares; variances of 0 where rounding explains
        them, as `narrows.linear.pca` returns them.
    low, high : float
        Smallest and largest value of the data.
    rounding : Rounding
        Of the data.

    Raises
    ------
    ParameterError
        For None, where squares of the data leave float32.
    """
    one, zero = np.ones(1), np.zeros(1)
    if scaling is None:
        size = float(np.sqrt((mean**2 + variance).max()))
        if size > 0 and not 1 / LARGEST_UNSCALED <= size <= LARGEST_UNSCALED:
            raise ParameterError(
                f"scaling=None leaves columns of size {size:.3g} as they are, and networks compute"
                f" squares in float32, which takes {1 / LARGEST_UNSCALED:g} to"
                f" {LARGEST_UNSCALED:g}. Use scaling='auto'."
            )
        return Scaling(zero, one)
    if scaling == "standard":
        # A constant column is divided by 1, or by more where rounding of it would look large.
        constant = np.maximum(CONSTANT_SHARE * np.abs(mean), 1.0)
        return Scaling(mean, np.where(variance > 0, np.sqrt(variance), constant))
    if scaling == "auto":
        return Scaling(mean, np.array([float(np.sqrt(variance.mean())) or 1.0]))
    target_low, target_high = cast("tuple[float, float]", scaling)
    varies = high - low > ROUNDINGS * rounding.epsilon * max(abs(low), abs(high))
    divisor = (high - low) / (target_high - target_low) if varies else 1.0
    return Scaling(np.array([low - target_low * divisor]), np.array([divisor]))
