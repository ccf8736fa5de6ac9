"""Pictures of what a model makes: a sheet of samples, a plane of codes that is decoded.

Legend: n samples, D features, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from narrows.common.blocks import evenly_spread
from narrows.errors import DataError
from narrows.figures.cells import (
    LONGEST,
    Bounds,
    Grid,
    grid_figure,
    picture_shape,
    pictures,
    pixel_within,
    spaced,
    value_range,
)
from narrows.figures.layout import AXIS_NAMES, finish_axes, fit, new_figure, pen_for
from narrows.figures.lettering import number_text, shorten
from narrows.figures.theme import ThemeName, theme_of


def sheet(
    X: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    columns: int | None = None,
    row_labels: Sequence[str] = (),
    bounds: Bounds = None,
    side: float = LONGEST,
    theme: ThemeName = "light",
) -> Figure:
    """Draw samples as a sheet, row by row from the upper left.

    Parameters
    ----------
    X : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        The samples. C is 1, 3 or 4.
    sample_shape : sequence of int, optional
        Shape of a flat sample, (H, W) or (H, W, C). Without it a flat sample must be square.
    columns : int, optional
        Samples in a row; by default as many as make the sheet about square.
    row_labels : sequence of str, optional
        A name for each row.
    bounds : pair of float, optional
        The values drawn black and white; by default the smallest and the largest of all (0 and
        255 for integers).
    side : float, default=14.0
        Longest side that samples are shrunk to, in inches.
    theme : {"light", "dark"}, default="light"
        Colours around the samples.

    Returns
    -------
    Figure
        The sheet.

    Raises
    ------
    DataError
        If no picture can be made of the samples, or rows and labels differ in number.
    """
    samples = np.asarray(X)
    shape = picture_shape(samples, sample_shape)
    n, (height, width, _) = len(samples), shape
    across = _columns(n, height / width) if columns is None else columns
    if across < 1:
        raise DataError(f"columns must be at least 1, got {across}.")
    across = min(across, n)
    n_rows = math.ceil(n / across)
    if row_labels and len(row_labels) != n_rows:
        raise DataError(
            f"sheet needs one label per row: {n} samples in {across} columns make {n_rows} rows,"
            f" but {len(row_labels)} labels are given."
        )
    cells = pictures(samples, shape, bounds or value_range(samples))
    paper = to_rgb(theme_of(theme).paper)
    missing = np.broadcast_to(paper, (n_rows * across - n, height, width, 3))
    images = np.concatenate([cells, missing]).reshape(n_rows, across, height, width, 3)
    return grid_figure(spaced(images), theme, row_names=row_labels, longest=side)


def _columns(n: int, height_over_width: float) -> int:
    return max(1, min(n, round(math.sqrt(n * height_over_width))))


def lattice(
    X: ArrayLike,
    Z: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    labels: tuple[str, str] = AXIS_NAMES[:2],
    side: float = 5.2,
    theme: ThemeName = "light",
) -> Figure:
    """Draw what each place of a plane of codes decodes to.

    Parameters
    ----------
    X : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        A decoded sample for each code, ``ae.inverse_transform(Z)``.
    Z : array-like of shape (n, 2)
        Codes on a lattice, in any order: every first number with every second one, as
        `narrows.model.sampling.lattice` gives them.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    bounds : pair of float, optional
        The values drawn black and white; by default the smallest and the largest of all.
    labels : pair of str
        Names of the axes.
    side : float, default=5.2
        Longest side of the plane, in inches.
    theme : {"light", "dark"}, default="light"
        Colours around the plane.

    Returns
    -------
    Figure
        The first number of a code grows to the right and the second one upwards, as in `plane`.
        The numbers along the axes are codes; their steps need not be even.

    Raises
    ------
    DataError
        If the codes are no lattice, or no picture can be made of the samples.
    """
    samples = np.asarray(X)
    shape = picture_shape(samples, sample_shape)
    across, up, order = _lattice_order(np.asarray(Z), len(samples))
    cells = pictures(samples, shape, bounds or value_range(samples))[order]
    grid = Grid(cells.reshape(len(up), len(across), *cells.shape[1:]), gap=0)
    return _plane_of_pictures(grid, side, (across, up), labels, theme)


def _lattice_order(
    Z: NDArray[Any], n_samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return the first numbers, the second ones from the top, and the samples' order."""
    if Z.shape != (n_samples, 2):
        raise DataError(
            f"lattice needs a code of two numbers for each sample, of shape ({n_samples}, 2); got"
            f" {Z.shape}."
        )
    codes = Z.astype(np.float64)
    across, columns = np.unique(codes[:, 0], return_inverse=True)
    up, rows = np.unique(codes[:, 1], return_inverse=True)
    places = (len(up) - 1 - rows) * len(across) + columns
    if len(across) * len(up) != n_samples or len(np.unique(places)) != n_samples:
        raise DataError(
            f"lattice needs every first number of a code with every second one; got {n_samples}"
            f" codes with {len(across)} different first and {len(up)} different second numbers."
            " narrows.model.sampling.lattice gives such codes."
        )
    return across, up[::-1], np.argsort(places)


def _plane_of_pictures(
    grid: Grid,
    side: float,
    codes: tuple[NDArray[np.float64], NDArray[np.float64]],
    labels: tuple[str, str],
    theme: ThemeName,
) -> Figure:
    """Draw pictures without gaps as one picture, with the codes along its axes."""
    pen, figure = pen_for(labels, theme), new_figure(theme)
    sheet = grid.sheet(pen.colours.paper)
    pixel = pixel_within(sheet, side)
    axes = figure.add_axes((0, 0, sheet.shape[1] * pixel, sheet.shape[0] * pixel))
    axes.imshow(sheet, interpolation="nearest", aspect="auto")
    height, width = grid.images.shape[2:4]
    middles = (grid.left + (width - 1) / 2, grid.top + (height - 1) / 2)
    for axis, places, values in zip((axes.xaxis, axes.yaxis), middles, codes, strict=True):
        few = evenly_spread(len(values), 5)
        axis.set_ticks(places[few], [number_text(value, 2) for value in values[few]])
    finish_axes(axes, [shorten(label, 24) for label in labels], pen)
    return fit(figure)
