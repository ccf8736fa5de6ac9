"""How densely points of a plane lie: a smoothed count on a grid.

Legend: n points, G cells along a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

CELLS = 200
"""Cells along each side of the plane."""
SMOOTHING = 0.3
"""Width of the smoothing, as a part of that of Scott's rule."""

Points = NDArray[np.float64]  # (n, 2), in [-1, 1]


@dataclass(frozen=True)
class Relief:
    """Heights over the square from −1 to 1, from 0 to 1 at the densest cell.

    Attributes
    ----------
    heights : ndarray (G, G)
        Rows go up.
    """

    heights: NDArray[np.float64]

    def at(self, points: Points) -> NDArray[np.float64]:
        """Return the height (n,) at each point."""
        cells = (points[:, ::-1] + 1) / 2 * len(self.heights) - 0.5
        found: NDArray[np.float64] = map_coordinates(self.heights, cells.T, order=1, mode="nearest")
        return np.clip(found, 0.0, 1.0)

    def above(self, points: Points, shares: Sequence[float]) -> list[float]:
        """Return for each share the height above which that share of the points lies."""
        heights = np.sort(self.at(points))
        return [float(np.quantile(heights, 1 - share)) for share in shares]


def relief(points: Points) -> Relief:
    """Count points (n, 2) on a grid and smooth the counts.

    The smoothing is a part of what Scott's rule says for one normal distribution, because a map is
    a mixture of many. D. W. Scott, "Multivariate density estimation", 1992, eq. 6.42.
    """
    edges = np.linspace(-1, 1, CELLS + 1)
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=(edges, edges))
    deviation = float(points.std(axis=0).max()) * CELLS / 2
    width = max(1.2, SMOOTHING * deviation * len(points) ** (-1 / 6))
    heights = gaussian_filter(counts, width, mode="constant")
    return Relief(heights / max(float(heights.max()), 1e-300))
