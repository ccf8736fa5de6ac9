"""Pictures of what a model makes: samples, the decoded plane, ways between codes, clean pictures.

Legend: n samples, D features, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from narrows.errors import DataError
from narrows.figures.cells import (
    MARGIN,
    Grid,
    Images,
    grid_figure,
    picture_shape,
    pictures,
    pixel_within,
    spaced,
    value_range,
)
from narrows.figures.lettering import lettering, shorten
from narrows.figures.look import THEMES, Theme, ThemeName, new_figure, quiet_axes, widen
from narrows.figures.samples import image_rows, named_rows

Bounds = tuple[float, float] | None
LONGEST = 14.0
"""Longest side of a sheet, in inches; more pictures are drawn smaller."""


def sheet(
    X: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    columns: int | None = None,
    row_labels: Sequence[str] = (),
    bounds: Bounds = None,
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
    theme : {"light", "dark"}, default="light"
        Colours around the samples.

    Returns
    -------
    Figure
        The sheet; very many samples are drawn smaller.

    Raises
    ------
    DataError
        If no picture can be made of the samples, or rows and labels differ in number.
    """
    samples, colours = np.asarray(X), THEMES[theme]
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
    missing = np.broadcast_to(to_rgb(colours.paper), (n_rows * across - n, height, width, 3))
    images = np.concatenate([cells, missing]).reshape(n_rows, across, height, width, 3)
    return grid_figure(spaced(images), colours, row_names=row_labels, longest=LONGEST)


def _columns(n: int, height_over_width: float) -> int:
    return max(1, min(n, round(math.sqrt(n * height_over_width))))


def lattice(
    X: ArrayLike,
    Z: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    labels: tuple[str, str] = ("z0", "z1"),
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
        `narrows.generating.lattice` gives them.
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
    samples, colours = np.asarray(X), THEMES[theme]
    shape = picture_shape(samples, sample_shape)
    across, up, order = _lattice_order(np.asarray(Z), len(samples))
    cells = pictures(samples, shape, bounds or value_range(samples))[order]
    grid = Grid(cells.reshape(len(up), len(across), *cells.shape[1:]), gap=0)
    return _plane_of_pictures(grid, side, across, up, labels, colours)


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
            " narrows.generating.lattice gives such codes."
        )
    return across, up[::-1], np.argsort(places)


def _plane_of_pictures(
    grid: Grid,
    side: float,
    across: NDArray[np.float64],
    up: NDArray[np.float64],
    labels: tuple[str, str],
    colours: Theme,
) -> Figure:
    """Draw pictures without gaps as one picture, with the codes along its axes."""
    sheet = grid.sheet(colours.paper)
    pixel = pixel_within(sheet, side)
    size = np.array([sheet.shape[1] * pixel, sheet.shape[0] * pixel])
    left, below, right = 0.75, 0.6, MARGIN + 0.15
    total = size + np.array([left + right, below + right])
    figure = new_figure(float(total[0]), float(total[1]), colours)
    corner, extent = np.array([left, below]) / total, size / total
    axes = figure.add_axes((corner[0], corner[1], extent[0], extent[1]))
    axes.imshow(sheet, interpolation="nearest")
    quiet_axes(axes, colours)
    height, width = grid.images.shape[2:4]
    middles = (grid.left + (width - 1) / 2, grid.top + (height - 1) / 2)
    letters = lettering(labels)
    for axis, places, codes, label in zip(
        (axes.xaxis, axes.yaxis), middles, (across, up), labels, strict=True
    ):
        axis.set_ticks(places[_spread(len(codes))])
        axis.set_ticklabels([_number(code) for code in codes[_spread(len(codes))]])
        axis.set_label_text(letters.drawable(shorten(label, 24)), font=letters.font(10))
        axis.label.set(color=colours.muted, parse_math=False)
    widen(figure, MARGIN)
    return figure


def _spread(n: int, most: int = 5) -> list[int]:
    """Return up to five places among n, the ends and the middle included."""
    return sorted({round(place) for place in np.linspace(0, n - 1, min(n, most))})


def _number(value: float) -> str:
    """Return a number to three digits, with a minus sign as wide as a plus."""
    return f"{value:.3g}".replace("-", "−") if value else "0"


def interpolations(
    strips: Sequence[ArrayLike],
    *,
    ends: tuple[ArrayLike, ArrayLike] | None = None,
    sample_shape: Sequence[int] | None = None,
    row_labels: Sequence[str] = (),
    end_labels: tuple[str, str] = ("a", "b"),
    bounds: Bounds = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw the ways from one sample to another, one row per pair.

    Parameters
    ----------
    strips : sequence of array-like (steps, D), (steps, H, W) or (steps, H, W, C)
        For each pair what ``ae.interpolate(a, b, steps)`` gives.
    ends : pair of array-like (pairs, …), optional
        The samples themselves, set apart at both ends.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    row_labels : sequence of str, optional
        A name for each pair.
    end_labels : pair of str
        Names of the two samples.
    bounds : pair of float, optional
        The values drawn black and white; by default the smallest and the largest of all.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures.

    Returns
    -------
    Figure
        Above each column stands how far along the way it is, from 0 to 1.

    Raises
    ------
    DataError
        If strips or ends differ in length or shape, or no picture can be made of them.
    """
    rows, shape = _strips("interpolations", strips, sample_shape)
    names = [f"{share:.2g}" for share in np.linspace(0, 1, rows.shape[1])]
    breaks: tuple[int, ...] = ()
    if ends is None:
        names[0], names[-1] = end_labels
    else:
        rows = np.concatenate([_end(ends[0], rows), rows, _end(ends[1], rows)], axis=1)
        names, breaks = [end_labels[0], *names, end_labels[1]], (1, rows.shape[1] - 1)
    _check_labels("interpolations", row_labels, len(rows))
    return _strip_figure(rows, shape, bounds, theme, row_labels, names, breaks)


def _end(samples: ArrayLike, rows: NDArray[Any]) -> NDArray[Any]:
    """Return one end of each strip as a column of its own."""
    values = np.asarray(samples)
    if values.shape[:1] != (len(rows),) or values[:1].size != rows[0, 0].size:
        raise DataError(
            f"ends must hold one sample of {rows[0, 0].size} values for each of {len(rows)}"
            f" strips; got an array of shape {values.shape}."
        )
    return values.reshape(len(rows), 1, *rows.shape[2:])


def traversals(
    strips: Mapping[int, ArrayLike],
    *,
    span: float = 3.0,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw what the numbers of a code do, one row per number.

    Parameters
    ----------
    strips : mapping of int to array-like (steps, D), (steps, H, W) or (steps, H, W, C)
        For each dimension what ``ae.traverse(x, dimension, steps, span=span)`` gives.
    span : float, default=3.0
        How far to either side the numbers were moved, in deviations σ over training rows.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    bounds : pair of float, optional
        The values drawn black and white; by default the smallest and the largest of all.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures.

    Returns
    -------
    Figure
        Rows are named z0, z1, …, by the number that `traverse` takes; above each column stands
        how far the number was moved.

    Raises
    ------
    DataError
        If strips differ in length or shape, or no picture can be made of them.
    """
    rows, shape = _strips("traversals", list(strips.values()), sample_shape)
    names = [_moved(share) for share in np.linspace(-span, span, rows.shape[1])]
    labels = [f"z{dimension}" for dimension in strips]
    return _strip_figure(rows, shape, bounds, theme, labels, names)


def _moved(deviations: float) -> str:
    return f"{'+' if deviations > 0 else ''}{_number(deviations)}" + ("σ" if deviations else "")


def _strips(
    owner: str, strips: Sequence[ArrayLike], sample_shape: Sequence[int] | None
) -> tuple[NDArray[Any], tuple[int, int, int]]:
    """Return strips as one array (rows, steps, …), and the shape of a picture."""
    arrays = [np.asarray(strip) for strip in strips]
    if not arrays:
        raise DataError(f"{owner} needs at least one strip; none was given.")
    shape = picture_shape(arrays[0], sample_shape)
    for number, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise DataError(
                f"{owner} needs strips of one shape; strip {number} has {array.shape}, but strip 0"
                f" has {arrays[0].shape}."
            )
    return np.stack(arrays), shape


def _check_labels(owner: str, labels: Sequence[str], n_rows: int) -> None:
    if labels and len(labels) != n_rows:
        raise DataError(
            f"{owner} needs one label per row; got {len(labels)} labels for {n_rows} rows."
        )


def _strip_figure(
    rows: NDArray[Any],
    shape: tuple[int, int, int],
    bounds: Bounds,
    theme: ThemeName,
    row_labels: Sequence[str],
    names: Sequence[str],
    breaks: tuple[int, ...] = (),
) -> Figure:
    cells = pictures(rows, shape, bounds or value_range(rows))
    images: Images = cells.reshape(*rows.shape[:2], *cells.shape[1:])
    return grid_figure(
        spaced(images, breaks),
        THEMES[theme],
        row_names=row_labels,
        column_names=names,
        longest=LONGEST,
    )


def denoised(
    noisy: ArrayLike,
    denoised: ArrayLike | Mapping[str, ArrayLike] | Sequence[tuple[str, ArrayLike]],
    clean: ArrayLike,
    *,
    sample_shape: Sequence[int] | None = None,
    columns: int = 10,
    labels: tuple[str, str, str] = ("noisy", "denoised", "clean"),
    bounds: Bounds = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw noisy samples above, what was made of them in the middle, the clean ones below.

    Parameters
    ----------
    noisy, clean : array-like of shape (n, D), (n, H, W) or (n, H, W, C)
        The same samples with and without noise.
    denoised : array-like, mapping of str to array-like, or sequence of (str, array-like)
        One array, or any number of named ones, each a row of its own.
    sample_shape : sequence of int, optional
        Shape of a flat sample. Without it a flat sample must be square.
    columns : int, default=10
        Samples shown, from the first.
    labels : tuple of three str
        Names of the rows; the middle one is not used where ``denoised`` has names.
    bounds : pair of float, optional
        The values drawn black and white; by default those of the clean samples (0 and 255 for
        integers). What noise puts outside is clipped.
    theme : {"light", "dark"}, default="light"
        Colours around the pictures.

    Returns
    -------
    Figure
        One row per array.

    Raises
    ------
    DataError
        If arrays differ in shape, or no picture can be made of them.
    """
    named = [
        (labels[2], clean),
        (labels[0], noisy),
        *named_rows(denoised, labels[1]),
    ]
    images = image_rows([array for _, array in named], sample_shape, columns, named, bounds)
    names = [name for name, _ in named]
    order = [*range(1, len(named)), 0]  # the clean ones set the scale, and stand below
    return grid_figure(
        spaced(images[order]), THEMES[theme], row_names=[names[number] for number in order]
    )
