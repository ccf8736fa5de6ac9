"""Maps: codes of one to three numbers as a picture that shows what lies where.

Legend: n rows, K numbers of a code, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray

from narrows.common.limits import check, integer
from narrows.errors import DataError
from narrows.figures.cells import Bounds, picture_shape, value_range
from narrows.figures.cells import pictures as pictures_of
from narrows.figures.codes import checked_codes
from narrows.figures.colouring import LabelsAre, colouring
from narrows.figures.key import draw_key
from narrows.figures.layout import (
    Pen,
    drawn_width,
    fit,
    half_width,
    inches_from,
    new_figure,
    pen_for,
    quiet_axes,
    size_of,
    write_title,
)
from narrows.figures.lettering import number_text
from narrows.figures.map_panel import MOST_POINTS, Panel, Thumbnails, draw_panel
from narrows.figures.relief import Points, relief
from narrows.figures.theme import ThemeName

MAP_WIDTHS = (1, 2, 3)
"""Numbers of a code that a map can show."""
USUAL_THUMBNAILS = 32
STRIP = 0.4
"""Height of the strip for codes of one number, as a part of its width."""
_BELOW = -0.22
"""Where the text below axes stands, in inches from their lower side."""
_BETWEEN = 0.42
"""Between two planes, in inches."""


def map_of(  # one call draws a map: its arguments are what may stand on it
    Z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    pictures: ArrayLike | None = None,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    labels_are: LabelsAre = "auto",
    labels_name: str = "",
    thumbnails: int = USUAL_THUMBNAILS,
    density: bool = True,
    title: str | None = None,
    side: float | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw codes as a map: what lies where, how densely, and what it looks like.

    Parameters
    ----------
    Z : array-like of shape (n, K)
        Codes of one, two or three numbers. Two make a plane; three make three planes, one for each
        pair; one makes a strip, where the height of the stack of points shows how densely rows lie.
    labels : array-like of shape (n,), optional
        What points are coloured by; without them, by how densely rows lie.
    pictures : array-like of shape (n, D), (n, H, W) or (n, H, W, C), optional
        What the rows look like, of which some are drawn, far apart and on dense spots.
    sample_shape : sequence of int, optional
        Shape of a flat picture. Without it a flat picture must be square.
    bounds : pair of float, optional
        The values drawn black and white; by default the smallest and the largest of all.
    label_names : sequence or mapping, optional
        Names of classes, as in `plane`.
    labels_are : {"auto", "classes", "numbers"}, default="auto"
        Whether labels are classes or numbers on a scale. By default text is classes, unless all of
        it is numbers; numbers are classes where they are whole and at most 20 differ.
    labels_name : str, default=""
        What the labels say, written above the key.
    thumbnails : int, default=32
        Pictures on a plane at the most, half as many on each of three; fewer where there is no
        room.
    density : bool, default=True
        Whether the ground is shaded where rows lie densely, in steps that enclose 95, 80, 60, 40
        and 20 % of them.
    title : str, optional
        A line above.
    side : float, optional
        Width of a plane in inches; 6.4, or 4.2 for each of three.
    theme : {"light", "dark"}, default="light"
        Colours of paper and text; the colours of the classes are the same in both.

    Returns
    -------
    Figure
        The map, both directions to one scale. Lengths are in units of the code, which the bar
        below counts; numbers along the sides would say nothing more. Names stand at the densest
        spot of their class where there are at most 20; the key beside the map counts rows.

    Raises
    ------
    DataError
        If codes are not finite or have more than three numbers; if labels or pictures are not one
        per code.
    ParameterError
        For ``thumbnails`` below 0 or an unknown ``labels_are``.
    """
    check("map_of", {"thumbnails": thumbnails}, {"thumbnails": integer(0)})
    codes = checked_codes(Z, "A map", *MAP_WIDTHS)
    found = colouring(labels, len(codes), label_names=label_names, labels_are=labels_are)
    most = thumbnails if codes.shape[1] < 3 else -(-thumbnails // 2)
    shown = thumbnails_of(pictures, len(codes), sample_shape, bounds, most)
    pen, figure = pen_for([*found.names, title or "", labels_name, "→"], theme), new_figure(theme)
    planes = planes_of(codes)
    side = side or (6.4 if len(planes) == 1 else 4.2)
    height = side * (STRIP if codes.shape[1] == 1 else 1)
    for number, plane in enumerate(planes):
        axes = figure.add_axes((number * (side + _BETWEEN), 0, side, height))
        (x0, y0), (x1, y1) = plane.middle - plane.reach, plane.middle + plane.reach
        axes.set(xlim=(x0, x1), ylim=(y0, y1), xticks=[], yticks=[])
        quiet_axes(axes, pen.colours)
        # The height of a strip's points already shows how densely rows lie.
        shaded = density and codes.shape[1] > 1
        draw_panel(axes, Panel(plane.points, found, shown, shaded, (side, height)), pen)
        name = _name_sides(axes, plane, pen)
        if number == 0:
            _draw_length(axes, plane, len(codes), side - drawn_width([name]), pen)
            write_title(axes, title, len(planes) * side, pen)
    draw_key(axes, found, labels_name, pen)
    return fit(figure)


@dataclass(frozen=True)
class Plane:
    """Two numbers of each code; or one number, with points stacked by density.

    Attributes
    ----------
    names : (str, str)
        Of the two sides; empty where a side means nothing.
    points : ndarray (n, 2)
        In the square from −1 to 1.
    middle, reach : ndarray (2,)
        A code is ``middle + reach · point``.
    """

    names: tuple[str, str]
    points: Points
    middle: NDArray[np.float64]
    reach: NDArray[np.float64]


def planes_of(codes: NDArray[np.float64]) -> list[Plane]:
    """Return the planes that codes (n, K) of one to three numbers are drawn as, to one scale."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    middle, reach = low / 2 + high / 2, 1.08 * half_width(low, high)
    places = (codes - middle) / reach
    if codes.shape[1] == 1:
        points = np.stack([places[:, 0], _heaped(places[:, 0])], axis=1)
        ends = np.array([middle[0], 0.0]), np.array([reach, 1.0])
        return [Plane(("z0", ""), points, *ends)]
    return [
        Plane((f"z{i}", f"z{j}"), places[:, [i, j]], middle[[i, j]], np.array([reach, reach]))
        for i, j in combinations(range(codes.shape[1]), 2)
    ]


def _heaped(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return heights between −1 and 1: points fill what lies under the curve of their density."""
    line = np.stack([places, np.zeros_like(places)], axis=1)
    share = np.random.default_rng(0).random(len(places))
    return -0.94 + 1.8 * share * relief(line).at(line)


def thumbnails_of(
    given: ArrayLike | None,
    n: int,
    sample_shape: Sequence[int] | None,
    bounds: Bounds,
    most: int,
) -> Thumbnails | None:
    """Return rows as small pictures, where there are any; parameters as for `map_of`."""
    if given is None or most == 0:
        return None
    rows = np.asarray(given)
    shape = picture_shape(rows, sample_shape)
    if len(rows) != n:
        raise DataError(f"pictures must be one per code, {n} of them; got {len(rows)}.")
    ends = bounds or value_range(rows)
    return Thumbnails(rows, lambda some: pictures_of(some, shape, ends), shape[:2], most)


def _name_sides(axes: Axes, plane: Plane, pen: Pen) -> Text:
    """Write the names of the dimensions where they grow to; return the one below the axes."""
    names = [f"latent dimension {name} →" for name in plane.names if name]
    below = pen.write(axes, names[0], (1, 0), (0, _BELOW), ha="right")
    for name in names[1:]:
        pen.write(axes, name, (0, 1), (-0.12, 0), ha="center").set(rotation=90, va="top")
    return below


def _draw_length(axes: Axes, plane: Plane, n_rows: int, room: float, pen: Pen) -> None:
    """Draw how long some round number of units of the code is, and say how many points are drawn.

    It stands in a line of its own where ``room`` inches below the axes are not enough.
    """
    unit = float(size_of(axes)[0] / (2 * plane.reach[0]))
    length = round_length(float(plane.reach[0]) * 2 / 5)
    text = f"{number_text(length)} {'unit' if length == 1 else 'units'} of the code"
    if n_rows > MOST_POINTS:
        text += f"; {MOST_POINTS:,} of {n_rows:,} points"
    written = pen.write(axes, text, (0, 0), (length * unit + 0.1, _BELOW))
    low = _BELOW
    if length * unit + 0.3 + drawn_width([written]) > room:
        low -= 0.22
        written.set_y(low)
    bar = Line2D([0, length * unit], [low, low], color=pen.colours.muted, linewidth=1.2)
    bar.set(marker="|", markersize=5, transform=inches_from(axes, (0, 0)))
    axes.figure.add_artist(bar)


def round_length(length: float) -> float:
    """Return the largest of … 0.1, 0.2, 0.5, 1, 2, 5, 10 … that is no longer than a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return power * max(step for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))
