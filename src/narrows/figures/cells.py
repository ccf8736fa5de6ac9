"""Pictures in rows and columns: from arrays of samples to one sheet with names beside it.

Legend: R rows of a sheet, n pictures a row, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from narrows.common.blocks import rows_at_once, slices
from narrows.errors import DataError, ParameterError
from narrows.figures.layout import MARGIN, fit, new_figure, pen_for, thin_out
from narrows.figures.lettering import shorten
from narrows.figures.theme import DPI, ThemeName

Images = NDArray[np.float64]  # (R, n, H, W, 3), in [0, 1]
Bounds = tuple[float, float] | None  # values drawn black and white; None for the extremes

CELL = 0.7
"""Height of one picture in inches, if there are few pictures."""
LONGEST = 14.0
"""Longest side of a sheet in inches. Many pictures are drawn smaller to fit."""
_GAP, _BREAK = 0.09, 0.4
"""Gap between pictures, and the wider gap at a break, as fractions of a picture."""


@dataclass(frozen=True)
class Grid:
    """Pictures in rows and columns, measured in pixels of a sample.

    Parameters
    ----------
    images : Images
    gap : int
        Pixels between two pictures.
    breaks : tuple of int
        Columns with a wider gap before them.
    """

    images: Images
    gap: int
    breaks: tuple[int, ...] = ()

    @property
    def left(self) -> NDArray[np.intp]:
        """Return where each column begins (n,)."""
        n, width = self.images.shape[1], self.images.shape[3]
        wider = max(self.gap, round(_BREAK * min(self.images.shape[2:4])))
        gaps = [wider if column in self.breaks else self.gap for column in range(1, n)]
        steps: NDArray[np.intp] = np.array([0, *(gap + width for gap in gaps)], dtype=np.intp)
        left: NDArray[np.intp] = np.cumsum(steps)
        return left

    @property
    def top(self) -> NDArray[np.intp]:
        """Return where each row begins (R,)."""
        top: NDArray[np.intp] = np.arange(len(self.images)) * (self.images.shape[2] + self.gap)
        return top

    def sheet(self, paper: str) -> NDArray[np.float64]:
        """Return all pictures on paper, (height, width, 3) in [0, 1]."""
        height, width = self.images.shape[2:4]
        sheet = np.empty((self.top[-1] + height, self.left[-1] + width, 3))
        sheet[:] = to_rgb(paper)
        for row, y in enumerate(self.top):
            for column, x in enumerate(self.left):
                sheet[y : y + height, x : x + width] = self.images[row, column]
        return sheet


def spaced(images: Images, breaks: tuple[int, ...] = ()) -> Grid:
    """Return pictures with the usual space between them."""
    return Grid(images, max(1, round(_GAP * float(min(images.shape[2:4])))), breaks)


def picture_shape(X: NDArray[Any], sample_shape: Sequence[int] | None) -> tuple[int, int, int]:
    """Return (H, W, C) of one sample of (n, …).

    Raises
    ------
    DataError
        Where a sample is no picture.
    """
    if X.ndim < 2 or not X.size:
        raise DataError(
            "Pictures need at least one sample, of shape (n, D), (n, H, W) or (n, H, W, C); "
            f"got an array of shape {X.shape}."
        )
    size = X[0].size
    shape = tuple(int(s) for s in sample_shape) if sample_shape is not None else X.shape[1:]
    if len(shape) == 1:
        side = round(size**0.5)
        if side * side != size:
            raise DataError(
                f"A flat sample of {size} values is not a square picture: "
                "give sample_shape=(height, width)."
            )
        shape = (side, side)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in {1, 3, 4} or np.prod(shape) != size:
        raise DataError(
            f"A sample of {size} values cannot be drawn with the shape {tuple(shape)}: allowed "
            "are (H, W) and (H, W, C) with C of 1, 3 or 4, and their product must be the size."
        )
    return shape[0], shape[1], shape[2]


BLOCK_VALUES = 1 << 22
"""Values that are read at once."""


def value_range(X: NDArray[Any]) -> tuple[float, float]:
    """Return the values drawn black and white: 0 and 255 for integers, else the extremes."""
    if X.dtype.kind == "b":
        return 0.0, 1.0
    if X.dtype.kind in "ui":
        return 0.0, max(255.0, float(X.max()))
    ends = []
    for part in slices(len(X), rows_at_once(math.prod(X.shape[1:]), BLOCK_VALUES)):
        block = X[part]
        finite = block[np.isfinite(block)]
        ends += [float(finite.min()), float(finite.max())] if finite.size else []
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def pictures(
    X: NDArray[Any], shape: tuple[int, int, int], bounds: tuple[float, float]
) -> NDArray[np.float64]:
    """Return samples (n, …) as pictures (n, H, W, 3) in [0, 1]; NaN is black."""
    low, high = bounds
    if low == high:
        raise ParameterError(f"bounds must be two different values, got ({low:g}, {high:g}).")
    cells = X.reshape(-1, *shape).astype(np.float64)
    shares = np.clip((np.nan_to_num(cells, nan=low) - low) / (high - low), 0.0, 1.0)
    return np.repeat(shares, 3, axis=-1) if shape[2] == 1 else shares[..., :3]


def pixel_inches(images: Images) -> float:
    """Return the side of one sample pixel, in inches.

    A whole number of screen pixels keeps the squares even; big pictures are scaled down.
    """
    height, width = float(images.shape[2]), float(images.shape[3])
    inches = CELL / max(height, width / 4)
    return round(inches * DPI) / DPI if inches * DPI >= 1 else inches


def pixel_within(sheet: NDArray[np.float64], longest: float) -> float:
    """Return the largest pixel side, in inches, at which the sheet is at most `longest`."""
    inches = longest / float(max(sheet.shape[:2]))
    if math.isinf(inches):
        return inches
    return math.floor(inches * DPI) / DPI if inches * DPI >= 1 else inches


def grid_figure(
    grid: Grid,
    theme: ThemeName,
    *,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    margin: float = MARGIN,
    longest: float = math.inf,
) -> Figure:
    """Draw a grid with the names of its rows to the left and those of its columns above.

    Parameters
    ----------
    grid : Grid
    theme : {"light", "dark"}
    row_names, column_names : sequence of str
        One for each row or column, or none at all. Where there is no room, some go unnamed.
    margin : float
        Around all, in inches.
    longest : float
        Longest side that very many pictures are shrunk to, in inches.
    """
    pen, figure = pen_for([*row_names, *column_names], theme), new_figure(theme)
    sheet = grid.sheet(pen.colours.paper)
    pixel = min(pixel_inches(grid.images), pixel_within(sheet, longest))
    axes = figure.add_axes((0, 0, sheet.shape[1] * pixel, sheet.shape[0] * pixel))
    sharp = "nearest" if pixel * DPI >= 1 else "antialiased"
    axes.imshow(sheet, interpolation=sharp, aspect="auto")
    axes.set_axis_off()
    height, width = grid.images.shape[2:4]
    rows = [
        pen.write(axes, shorten(name, 24), (0, 1), (-0.12, -pixel * y), size=10, ha="right")
        for name, y in zip(row_names, grid.top + height / 2, strict=False)
    ]
    columns = [
        pen.write(axes, shorten(name, 24), (0, 1), (pixel * x, 0.14), size=9, ha="center")
        for name, x in zip(column_names, grid.left + width / 2, strict=False)
    ]
    for names in (rows, columns):
        thin_out(names)
    return fit(figure, margin)
