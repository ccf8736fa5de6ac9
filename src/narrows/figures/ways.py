"""Pictures along lines of codes: from one sample to another, and along one number of a code.

Legend: D features, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from narrows.errors import DataError
from narrows.figures.cells import (
    LONGEST,
    Bounds,
    Images,
    grid_figure,
    picture_shape,
    pictures,
    spaced,
    value_range,
)
from narrows.figures.lettering import number_text
from narrows.figures.theme import ThemeName


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
    return f"{'+' if deviations > 0 else ''}{number_text(deviations)}" + ("σ" if deviations else "")


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
    grid = spaced(images, breaks)
    return grid_figure(grid, theme, row_names=row_labels, column_names=names, longest=LONGEST)
