"""Where names and small pictures stand on a map: on dense spots, far apart, never over each other.

Legend: n points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from narrows.figures.relief import Points

Box = tuple[float, float, float, float]  # left, bottom, right, top
Rows = NDArray[np.intp]

MOST_CANDIDATES = 6_000
"""Most points among which spots are chosen."""
_HALVINGS = 14
_AT_HOME = 0.3
"""A name stands only where its class has at least this part of its largest density."""


def dense_spots(
    points: Points,
    heights: NDArray[np.float64],
    *,
    most: int,
    apart: Sequence[float] | NDArray[np.float64],
    free: NDArray[np.bool_] | None = None,
) -> Rows:
    """Choose points that lie far apart, the densest first.

    Chosen points are at least a distance d apart, horizontally or vertically, and every other
    point is closer than d to a chosen one. d is the smallest distance that leaves at most ``most``
    points, and never below ``apart``.

    Parameters
    ----------
    points : ndarray (n, 2)
    heights : ndarray (n,)
        How densely points lie around each.
    most : int
    apart : pair of float
        Width and height of what stands at a spot.
    free : ndarray of bool (n,), optional
        Where something may stand.

    Returns
    -------
    ndarray (m,)
        Numbers of points, the densest first.
    """
    candidates = _candidates(len(points), free)
    candidates = candidates[np.argsort(-heights[candidates], kind="stable")]
    if most < 1 or not len(candidates):
        return candidates[:0]
    # In units of what stands there, so that one distance serves both directions.
    places = points[candidates] / np.array(apart)
    near, far = 1.0, 1.0 + float(np.ptp(places, axis=0).max())
    chosen = _pack(places, near, most)
    if len(chosen) <= most:
        return candidates[chosen]
    for _ in range(_HALVINGS):
        middle = (near * far) ** 0.5
        if len(_pack(places, middle, most)) > most:
            near = middle
        else:
            far = middle
    return candidates[_pack(places, far, most)]


def _candidates(n: int, free: NDArray[np.bool_] | None) -> Rows:
    rows = np.arange(n) if free is None else np.flatnonzero(free)
    if len(rows) > MOST_CANDIDATES:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_CANDIDATES, replace=False))
    return rows


def _pack(places: Points, distance: float, most: int) -> list[int]:
    """Return the first point, the first one that is so far from it, and so on; most + 1 at most."""
    chosen: list[int] = []
    open_ = np.ones(len(places), dtype=bool)
    while len(chosen) <= most and open_.any():
        first = int(open_.argmax())
        chosen.append(first)
        open_ &= np.abs(places - places[first]).max(axis=1) >= distance
    return chosen


def overlaps(box: Box, others: Iterable[Box]) -> bool:
    """Tell whether a box covers a part of another."""
    return any(
        box[0] < right and left < box[2] and box[1] < top and bottom < box[3]
        for left, bottom, right, top in others
    )


def named_spots(
    points: Points,
    heights: list[tuple[Rows, NDArray[np.float64]]],
    sizes: list[tuple[float, float]],
) -> list[Points | None]:
    """Choose for each class the densest spot at which its name covers no other name.

    Parameters
    ----------
    points : ndarray (n, 2)
        In the square from −1 to 1, which names do not leave.
    heights : list of (rows, ndarray)
        For each class its rows, and how densely they lie around each.
    sizes : list of (float, float)
        Width and height of each name.

    Returns
    -------
    list of ndarray (2,) or None
        The middle of each name; None where there is no room for it.
    """
    found: list[Points | None] = [None] * len(heights)
    taken: list[Box] = []
    for number in sorted(range(len(heights)), key=lambda i: -len(heights[i][0])):
        rows, dense = heights[number]
        half = np.array(sizes[number]) / 2
        if not len(rows) or (half > 1).any():
            continue
        at_home = dense >= _AT_HOME * dense.max()
        spots = dense_spots(points[rows], dense, most=40, apart=(half[1], half[1]), free=at_home)
        for middle in np.clip(points[rows[spots]], half - 1, 1 - half):
            box = (*(middle - half), *(middle + half))
            if not overlaps(box, taken):
                taken.append(box)
                found[number] = middle
                break
    return found
